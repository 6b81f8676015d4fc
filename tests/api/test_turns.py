"""Turns over REST, against a real Postgres and the echo generator, whose answers name the turns its state holds."""

from tests.support.live import Live


def test_an_answer_reads_every_earlier_turn(live: Live) -> None:
    with live.client() as client:
        conversation = live.conversation(client)
        for seq in range(1, 5):
            answer = client.post(f"/v1/conversations/{conversation}/turns", json={"input": f"fact {seq}"})
            assert answer.status_code == 201, answer.text
            turn = answer.json()
            assert turn["seq"] == seq
            assert turn["memory"]["state_version"] == seq - 1
            assert turn["memory"]["lag"] == 0
            assert turn["output"].startswith(f"echo {seq - 1} [")
