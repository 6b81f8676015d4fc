"""A conversation outlives its model: after an upgrade the next turn rebuilds the state by replay, in a new epoch."""

from memos.kernel.version import broken_links
from tests.api.talk import chain
from tests.support.live import Live, serve
from tests.support.postgres import Cluster


def _say(service: Live, conversation: str, text: str) -> dict:
    with service.client() as client:
        answer = client.post(f"/v1/conversations/{conversation}/turns", json={"input": text})
    assert answer.status_code == 201, answer.text
    turn: dict = answer.json()
    return turn


def _held(output: str) -> list[str]:
    """The digests of the turns that the state behind an echo answer holds, in order."""
    return [entry.split(":")[1] for entry in output.split("[")[1].split("]")[0].split()]


def test_the_next_turn_after_an_upgrade_has_seen_every_earlier_turn(postgres_cluster: Cluster) -> None:
    database = postgres_cluster.database()
    with serve(database) as old, old.client() as client:
        blobs = old.settings.effective_blob_url
        conversation = old.conversation(client)
        for text in ("one", "two", "three", "four"):
            _say(old, conversation, text)
        old.settled(client, conversation)
        client.post(f"/v1/conversations/{conversation}/rollback", json={"to_turn": 3}).raise_for_status()
        before = _held(_say(old, conversation, "five")["output"])
        old.settled(client, conversation)
        fork = client.post(f"/v1/conversations/{conversation}/fork", json={"at_turn": 2}).json()["id"]
        with serve(database, generator="echo-2", blob_url=blobs) as new, new.client(old.key) as upgraded:
            new.key = old.key
            answer = _say(new, conversation, "six")
            assert answer["memory"]["lag"] == 0
            assert len(_held(answer["output"])) == 4  # one, two, three, five
            view = new.settled(upgraded, conversation)
            assert view["epoch"] == 2
            assert view["fingerprint"] != client.get(f"/v1/conversations/{fork}").json()["fingerprint"]
            assert len(before) == 3
            # The fork shares two turns of its parent's line and is rebuilt from exactly those.
            assert len(_held(_say(new, fork, "other")["output"])) == 2
            new.settled(upgraded, fork)
            listed = upgraded.get(f"/v1/conversations/{conversation}/turns").json()["items"]
            assert [turn["status"] for turn in listed] == ["applied"] * 3 + ["superseded"] + ["applied"] * 2
            for cube in upgraded.get("/v1/cubes").json()["items"]:
                assert broken_links(chain(upgraded, cube["id"])) == []
