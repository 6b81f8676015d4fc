"""Nothing automatic destroys memory (P4): what runs by itself leaves every word and every state as it was."""

import asyncio
from collections.abc import Iterator

import httpx2
import psycopg
import pytest

from memos.kernel.canonical import sha256_hex
from memos.runtime import Runtime
from memos.turns.reaper import Reaper
from tests.api.talk import say, settled
from tests.support.live import Live, serve
from tests.support.postgres import Cluster


@pytest.fixture(scope="module")
def served(postgres_cluster: Cluster) -> Iterator[Live]:
    with serve(postgres_cluster.database()) as service:
        yield service


def everything(client: httpx2.Client, conversation: str) -> dict[str, object]:
    """Every word and every state of a conversation, as a client can read them."""
    view = client.get(f"/v1/conversations/{conversation}").json()
    turns = client.get(f"/v1/conversations/{conversation}/turns").json()["items"]
    found: dict[str, object] = {turn["id"]: (turn["input"], turn["output"]) for turn in turns}
    path = f"/v1/cubes/{view['state_cube_id']}/versions"
    for version in client.get(path).json()["items"]:
        payload = client.get(f"{path}/{version['number']}/payload").content
        assert sha256_hex(payload) == version["payload_sha256"]
        found[version["id"]] = payload
    return found


def test_what_runs_by_itself_keeps_every_word_and_state(served: Live) -> None:
    with served.client() as client:
        conversation = served.conversation(client)
        for text in ("one", "two", "three"):
            say(client, conversation, text)
        settled(client, conversation)
        before = everything(client, conversation)
        client.post(f"/v1/conversations/{conversation}/rollback", json={"to_turn": 1}).raise_for_status()
        client.post(f"/v1/conversations/{conversation}/fork", json={"at_turn": 3}).raise_for_status()
        say(client, conversation, "four")
        settled(client, conversation)

        async def sweep() -> None:
            runtime = Runtime(served.settings)
            await Reaper(runtime.database, runtime.wakeups, served.settings).sweep()
            await runtime.stop()

        asyncio.run(sweep())
        assert len(before) == 3 + 4  # three turns, their states and the first
        assert everything(client, conversation).items() >= before.items()


@pytest.mark.parametrize("change", ["input = 'another'", "output = 'another'", "output = NULL"])
def test_words_cannot_be_changed_even_by_our_own_sql(served: Live, change: str) -> None:
    with served.client() as client:
        conversation = served.conversation(client)
        turn = say(client, conversation, "as it was said")
        settled(client, conversation)
    address = served.database.admin.replace("postgresql+psycopg", "postgresql")
    with psycopg.connect(address, autocommit=True) as connection:
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):
            connection.execute(f"UPDATE turns SET {change} WHERE id = %s", [turn["id"]])
        with pytest.raises(psycopg.errors.IntegrityConstraintViolation):  # not even so, while nothing is being erased
            connection.execute(
                "UPDATE turns SET status = 'erased', input = '', output = NULL WHERE id = %s", [turn["id"]]
            )
