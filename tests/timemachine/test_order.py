"""One order of time per cube, whoever writes: no moment reads as the cube never was, and none otherwise later."""

import asyncio
import random
from datetime import timedelta
from itertools import pairwise
from typing import Any

import httpx2
import psycopg
import pytest
from sqlalchemy import RowMapping, text

from memos.cubes import changes, versions
from memos.cubes.versions import text_payload
from memos.kernel.lifecycle import Lifecycle
from memos.kit.unit_of_work import UnitOfWork
from memos.timemachine import service, store
from tests.api.talk import problem, say
from tests.support.live import Live
from tests.timemachine.desk import BY, Desk

Shown = tuple[str | None, int, str, bool, int]


async def _shown(work: UnitOfWork, cube_id: str) -> Shown:
    """The cube as its row says, which only its newest change may be read from."""
    cube = await changes.lock(work, cube_id)
    content = (await work.one(_CONTENT, id=cube["head_version_id"]))["content"]
    return content, cube["head_version"], cube["lifecycle"], cube["frozen"], cube["priority"]


_CONTENT = text("SELECT content FROM memcube_versions WHERE id = :id")


async def _change(work: UnitOfWork, cube: RowMapping, rng: random.Random, name: str) -> None:
    kind = rng.choice(["append", "append", "priority", "freeze", "life"])
    if cube["frozen"] and kind != "life":
        kind = "freeze"
    if kind == "append" and cube["lifecycle"] in ("generated", "activated"):
        await changes.append(work, cube, operation="revise", payload=text_payload(name), by=BY)
    elif kind == "priority":
        await changes.set_attributes(work, cube, {"priority": cube["priority"] + 1}, reason="test", by=BY)
    elif kind == "freeze":
        await changes.set_frozen(work, cube, not cube["frozen"], reason="test", by=BY)
    elif not cube["frozen"]:
        then: Lifecycle = "archived" if cube["lifecycle"] == "activated" else "activated"
        await changes.transition(work, cube, then, reason="test", by=BY)


async def _writers(desk: Desk, cube_id: str, truth: list[Shown], rounds: int) -> None:
    """Each change notes, under the cube's lock, how the cube is now: that is the order in which it was so."""

    async def write(number: int) -> None:
        rng = random.Random(number)
        for step in range(rounds):

            async def effect(work: UnitOfWork, name: str = f"{number}/{step}") -> None:
                await _change(work, await changes.lock(work, cube_id), rng, name)
                truth.append(await _shown(work, cube_id))
                await asyncio.sleep(rng.random() / 200)  # between its time and its commit

            await desk.transaction(effect)

    await asyncio.gather(*(write(number) for number in range(4)))


async def _read(desk: Desk, cube_id: str, moment: Any) -> Shown:
    then = await service.cube_then(desk.database, desk.tenant_id, cube_id, moment, None)
    return then.content, then.head_version, then.lifecycle, then.frozen, then.priority


def test_writers_at_once_leave_only_moments_that_were(desk: Desk) -> None:
    cube_id = desk.note("begun")
    truth = [desk.do(lambda work: _shown(work, cube_id))]
    told: list[tuple[Any, Shown]] = []

    async def together() -> None:
        writing = asyncio.create_task(_writers(desk, cube_id, truth, 12))
        while not writing.done():  # and read meanwhile what is only just over
            moment = await desk.transaction(store.clock)
            told.append((moment, await _read(desk, cube_id, moment)))
        await writing

    desk.run(together())
    assert len(told) > 3
    for moment, shown in told:
        assert desk.run(_read(desk, cube_id, moment)) == shown, moment
    distinct = [truth[0]] + [now for before, now in pairwise(truth) if now != before]
    moments = sorted({moment for moment, _ in told} | _written(desk, cube_id))
    seen: list[Shown] = []
    for moment in moments:
        shown = desk.run(_read(desk, cube_id, moment))
        if not seen or seen[-1] != shown:
            seen.append(shown)
    # Between being made and being activated, in one transaction, nobody saw it.
    assert seen[-len(distinct) :] == distinct


def _written(desk: Desk, cube_id: str) -> set[Any]:
    """Every moment at which something was added to the cube."""
    rows = desk.do(lambda work: work.all(_MOMENTS, id=cube_id))
    return {row["created_at"] for row in rows}


_MOMENTS = text(
    "SELECT created_at FROM memcube_versions WHERE cube_id = :id "
    "UNION ALL SELECT created_at FROM cube_events WHERE cube_id = :id"
)


async def _slowly(desk: Desk, cube_id: str, timed: asyncio.Event, go_on: asyncio.Event) -> None:
    async def effect(work: UnitOfWork) -> None:
        cube = await changes.lock(work, cube_id)
        await changes.append(work, cube, operation="revise", payload=text_payload("late"), by=BY)
        timed.set()
        await go_on.wait()

    await desk.transaction(effect)


async def _asked_meanwhile(desk: Desk, cube_id: str, wait_s: float) -> tuple[str | None, str | None]:
    """What is read of a moment while something that began before it is not committed, and what is read of it later."""
    timed, go_on = asyncio.Event(), asyncio.Event()
    writing = asyncio.create_task(_slowly(desk, cube_id, timed, go_on))
    await timed.wait()
    moment = await desk.transaction(store.clock)
    reading = asyncio.create_task(service.cube_then(desk.database, desk.tenant_id, cube_id, moment, None))
    await asyncio.wait({reading}, timeout=wait_s)
    go_on.set()
    await writing
    first = (await reading).content
    return first, (await service.cube_then(desk.database, desk.tenant_id, cube_id, moment, None)).content


def test_a_moment_that_is_only_just_over_waits_for_what_was_under_way(desk: Desk) -> None:
    assert desk.run(_asked_meanwhile(desk, desk.note("first"), 0.2)) == ("late", "late")


def test_the_test_sees_an_as_of_that_does_not_wait(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(work: UnitOfWork, as_of: Any) -> Any:
        return {"past": True, "under_way": False}

    monkeypatch.setattr(store, "under_way", never)
    assert desk.run(_asked_meanwhile(desk, desk.note("first"), 5.0)) == ("first", "late")


def test_it_does_not_wait_for_ever(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "SETTLE_S", 0.05)
    with pytest.raises(service.NotSettled):
        desk.run(_asked_meanwhile(desk, desk.note("first"), 1.0))


def test_a_clock_that_goes_back_is_not_followed(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """The next time is later than all that the cube has, though the clock says less; the schema refuses any other."""
    cube_id = desk.note("first")
    ahead = desk.clock() + timedelta(hours=1)
    real = versions.version_columns
    monkeypatch.setattr(changes, "version_columns", lambda step, parent, *, at: real(step, parent, at=ahead))
    desk.revise(cube_id, "from a clock that is ahead")
    monkeypatch.setattr(changes, "version_columns", real)
    desk.revise(cube_id, "second")
    desk.alter(cube_id, lambda work, cube: changes.transition(work, cube, "archived", reason="test", by=BY))
    moments = sorted(_written(desk, cube_id))
    assert moments[-3:] == [ahead, ahead + timedelta(microseconds=1), ahead + timedelta(microseconds=2)]
    desk.alter(cube_id, lambda work, cube: changes.transition(work, cube, "activated", reason="test", by=BY))
    monkeypatch.setattr(changes, "version_columns", lambda step, parent, *, at: real(step, parent, at=ahead))
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="later than its parent"):
        desk.revise(cube_id, "never")


def test_a_conversation_as_it_was(live: Live, client: httpx2.Client, desk: Desk) -> None:
    before = desk.clock()
    conversation = live.conversation(client)
    moments = [desk.clock()]
    for said in ("one", "two", "three"):
        say(client, conversation, said)
        live.settled(client, conversation)
        moments.append(desk.clock())
    client.post(f"/v1/conversations/{conversation}/rollback", json={"to_turn": 1}).raise_for_status()
    moments.append(desk.clock())

    def asked(moment: Any) -> httpx2.Response:
        return client.get(f"/v1/conversations/{conversation}", params={"as_of": moment.isoformat()})

    found = [asked(moment).json() for moment in moments]
    assert [[turn["seq"] for turn in then["turns"]] for then in found] == [[], [1], [1, 2], [1, 2, 3], [1]]
    assert [(then["epoch"], then["state_version"]) for then in found] == [(0, 0), (0, 1), (0, 2), (0, 3), (1, 4)]
    cube = found[0]["state_cube_id"]
    problem(asked(before), 404, "not_yet")
    problem(client.get(f"/v1/cubes/{cube}", params={"valid_at": before.isoformat()}), 422, "system_time_only")
    later = (desk.clock() + timedelta(minutes=1)).isoformat()
    for path in (f"/v1/conversations/{conversation}", f"/v1/cubes/{cube}", "/v1/cubes", "/v1/users/ada/memory"):
        problem(client.get(path, params={"as_of": later}), 422, "in_the_future")
        problem(client.get(path, params={"as_of": "yesterday"}), 422, "invalid")
    then = client.get(f"/v1/cubes/{cube}", params={"as_of": moments[2].isoformat()}).json()
    assert (then["lifecycle"], then["version"]["turn_seq"], then["content"]) == ("activated", 2, None)


def test_a_users_memory_page_by_page(client: httpx2.Client, desk: Desk) -> None:
    user = f"pages/{desk.clock().timestamp()}"  # a name may hold anything
    cubes = [desk.note(f"text {number}", user) for number in range(5)]
    moment = desk.clock()
    desk.note("later", user)
    desk.revise(cubes[0], "changed")
    found: list[str] = []
    cursor = None
    while True:
        query = {"as_of": moment.isoformat(), "limit": "2"} | ({"cursor": cursor} if cursor else {})
        page = client.get(f"/v1/users/{user}/memory", params=query).json()
        found += [item["content"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break
    assert found == [f"text {number}" for number in range(4, -1, -1)]
    now = client.get(f"/v1/users/{user}/memory").json()["items"]
    assert [item["content"] for item in now] == ["later", "text 4", "text 3", "text 2", "text 1", "changed"]
    assert look_empty(client, "nobody-of-that-name")


def look_empty(client: httpx2.Client, user: str) -> bool:
    return bool(client.get(f"/v1/users/{user}/memory").json()["items"] == [])
