"""The job: killed at each of its steps it goes on, delivered twice it has one effect; what is held is refused and not
read."""

import asyncio
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import httpx2
import pytest

from memos.erasure.job import EraseTask
from memos.kernel.version import broken_links
from memos.kit.errors import Unavailable
from memos.runtime import Runtime
from tests.api.talk import ask, chain, eventually, look, post, problem, say, settled, turns
from tests.support.live import Live, serve
from tests.support.postgres import Cluster


@pytest.fixture(scope="module")
def served(postgres_cluster: Cluster) -> Iterator[Live]:
    with serve(postgres_cluster.database()) as service:
        yield service


class Killed(BaseException):
    """As if the process ended here."""


def told(service: Live, client: httpx2.Client) -> tuple[str, str, str]:
    """A conversation, its second turn and a fork."""
    conversation = service.conversation(client)
    for text in ("one", "my dog is Biscuit", "three"):
        say(client, conversation, text)
    settled(client, conversation)
    fork = str(post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": 3}).json()["id"])
    say(client, fork, "four")
    settled(client, fork)
    return conversation, turns(client, conversation)[1]["id"], fork


def ended(client: httpx2.Client, erasure_id: str) -> dict[str, Any]:
    def look_at() -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"/v1/erasures/{erasure_id}").json()
        assert found["status"] != "failed", found["error"]
        return found if found["status"] == "done" else {}

    return eventually(look_at, 60)


def planted(service: Live, turn_id: str) -> tuple[str, str]:
    """An erasure whose job is run by hand; the tenant and its id."""
    with service.client() as client:
        (row,) = look(service, "SELECT tenant_id FROM turns WHERE id = %s", turn_id)
        erasure = post(client, "/v1/erasures", {"turn_id": turn_id}).json()["id"]
    return row["tenant_id"], erasure


ERASE: Any = EraseTask.__call__
STEPS = ("hold", "confirm", "plan", "erase", "replay", "verify")


def test_killed_at_every_step_it_goes_on(served: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each commit of the job is the last one once: whoever comes next finds it where it stands."""
    with served.client() as client:
        conversation, turn_id, fork = told(served, client)
        monkeypatch.setattr(EraseTask, "__call__", _held_back)
        tenant, erasure = planted(served, turn_id)
        kills = asyncio.run(_killed_everywhere(served, tenant, erasure))
        monkeypatch.undo()
        assert kills >= 2 * len(STEPS)
        assert ended(client, erasure)["done"] > 0
        for held in (conversation, fork):
            view = settled(client, held)
            assert view["epoch"] == 1
            assert broken_links(chain(client, view["state_cube_id"])) == []
            assert [turn["status"] for turn in turns(client, held)].count("erased") == 1
        assert look(served, "SELECT id FROM conversations WHERE erasing_by IS NOT NULL") == []


async def _held_back(task: EraseTask, tenant_id: str, erasure_id: str) -> str:
    raise Unavailable("not yet")


async def _killed_everywhere(service: Live, tenant: str, erasure: str) -> int:
    """Runs the task, and kills it at its second to fifth transaction in turn; how often it was killed."""
    runtime = Runtime(service.settings)
    task = runtime.jobs._tasks["erase"].task  # type: ignore[attr-defined]
    unit_of_work = runtime.database.unit_of_work
    left = 0

    def counting(tenant_id: str) -> Any:
        nonlocal left
        left -= 1
        if left < 0:
            raise Killed
        return unit_of_work(tenant_id)

    try:
        for kills in range(200):
            left = 1 + kills % 4
            with pytest.MonkeyPatch.context() as patch, suppress(Killed):
                patch.setattr(runtime.database, "unit_of_work", counting)
                await ERASE(task, tenant, erasure)
                return kills
        raise AssertionError("it does not come to an end")
    finally:
        await runtime.stop()


def test_delivered_twice_it_has_one_effect(served: Live) -> None:
    with served.client() as client:
        conversation, turn_id, _ = told(served, client)
        erasure = post(client, "/v1/erasures", {"turn_id": turn_id}).json()["id"]
        before = ended(client, erasure)
        (row,) = look(served, "SELECT tenant_id FROM erasures WHERE id = %s", erasure)

        async def again() -> None:
            runtime = Runtime(served.settings)
            try:
                for _ in range(2):
                    assert await runtime.jobs._tasks["erase"](row["tenant_id"], erasure) == "settled"
            finally:
                await runtime.stop()

        asyncio.run(again())
        assert client.get(f"/v1/erasures/{erasure}").json() == before
        assert settled(client, conversation)["epoch"] == 1
        problem(client.post("/v1/erasures", json={"turn_id": turn_id}), 404, "not_found")


def test_what_is_held_is_refused_and_not_read(served: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between hold and replay nobody is answered from the old state: whoever asks is told to wait."""
    with served.client() as client:
        conversation, turn_id, fork = told(served, client)
        real = EraseTask._erase

        async def stuck(task: EraseTask, tenant_id: str, row: Any) -> None:
            raise Unavailable("the test holds it here")

        monkeypatch.setattr(EraseTask, "_erase", stuck)
        erasure = post(client, "/v1/erasures", {"turn_id": turn_id}).json()["id"]
        eventually(lambda: client.get(f"/v1/erasures/{erasure}").json()["step"] == "erase", 30)
        for held in (conversation, fork):
            body = problem(ask(client, held, "what is it called?"), 503, "under_erasure")
            assert "what is being erased" in body["hint"]
            for path, wanted in (("rollback", {"to_turn": 0}), ("fork", {"at_turn": 1})):
                answer = client.post(f"/v1/conversations/{held}/{path}", json=wanted)
                problem(answer, 503, "under_erasure")
        monkeypatch.setattr(EraseTask, "_erase", real)
        ended(client, erasure)
        assert "Biscuit" not in say(client, conversation, "what is it called?")["output"]


def test_an_erasure_waits_for_every_process_that_serves(served: Live) -> None:
    """A process that is registered and silent is waited for until its lease ends."""
    with served.client() as client:
        _, turn_id, _ = told(served, client)
        look(served, "INSERT INTO processes (id, lease_expires_at) VALUES ('process-0123456789abcdef', "
             "now() + interval '3 seconds')")  # fmt: skip
        erasure = post(client, "/v1/erasures", {"turn_id": turn_id}).json()["id"]
        eventually(lambda: client.get(f"/v1/erasures/{erasure}").json()["step"] == "confirm", 30)
        waited = ended(client, erasure)
        named = [one["process"] for one in waited["receipt"]["logical"]["confirmed_by"]]
        assert named
        assert "process-0123456789abcdef" not in named
        (row,) = look(
            served, "SELECT lease_expires_at < now() AS over FROM processes WHERE id = 'process-0123456789abcdef'"
        )
        assert row["over"]
