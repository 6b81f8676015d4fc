"""One line of links, whoever writes rows, in whatever order they commit, and however many sequencers there are."""

import asyncio
import random
import subprocess
import sys
import time

import pytest

from memos.audit import sequencer, service, store
from memos.kit.db import Database
from memos.kit.ids import new_id
from tests.audit.log import Log

WRITERS, EACH = 8, 12


def _check(log: Log, rows: int) -> None:
    found = log.verify(most=10_000)
    assert (found.ok, found.complete, found.checked) == (True, True, rows), found
    assert found.unchained is not None
    assert found.unchained.count == 0
    links = log.links()
    assert [link["seq"] for link in links] == list(range(1, rows + 1))
    assert len({link["audit_id"] for link in links}) == rows


@pytest.mark.anyio
async def test_many_writers_and_many_sequencers_make_one_line(log: Log, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sequencer, "BATCH", 5)
    database = Database(log.addresses.app, pool_size=12)
    done = asyncio.Event()

    async def write(number: int) -> None:
        chance = random.Random(number)
        for _ in range(EACH):
            async with database.unit_of_work(log.tenant_id) as work:
                service.note(work, "test.done", new_id("cube"), "task:test")
                await work.run(store._LAST)  # it is inserted now, and committed when it pleases
                await asyncio.sleep(chance.random() * 0.02)

    async def chain() -> None:
        task = log.task(database)
        while not done.is_set():
            await task(log.tenant_id, "sched")
            await asyncio.sleep(0.002)

    try:
        chaining = [asyncio.create_task(chain()) for _ in range(3)]
        await asyncio.gather(*(write(number) for number in range(WRITERS)))
        done.set()
        await asyncio.gather(*chaining)
        await log.task(database)(log.tenant_id, "sched")
    finally:
        await database.aclose()
    await asyncio.to_thread(_check, log, WRITERS * EACH)


@pytest.mark.anyio
async def test_what_rolls_back_is_nowhere_and_what_commits_late_comes_last(log: Log) -> None:
    database = Database(log.addresses.app, pool_size=4)
    late, gone, early = new_id("cube"), new_id("cube"), new_id("cube")
    task = log.task(database)

    async def roll_back() -> None:
        async with database.unit_of_work(log.tenant_id) as failing:
            service.note(failing, "test.done", gone, "task:test")
            await failing.run(store._LAST)
            raise ZeroDivisionError

    try:
        async with database.unit_of_work(log.tenant_id) as work:
            service.note(work, "test.done", late, "task:test")
            await work.run(store._LAST)
            with pytest.raises(ZeroDivisionError):
                await roll_back()
            async with database.unit_of_work(log.tenant_id) as other:
                service.note(other, "test.done", early, "task:test")
            await task(log.tenant_id, "sched")
        await task(log.tenant_id, "sched")
        async with database.unit_of_work(log.tenant_id) as work:
            walked = await store.walk(work, after=0, limit=10)
    finally:
        await database.aclose()
    assert [link.row.subjects for link in walked if link.row] == [(early,), (late,)]


def test_a_row_that_is_older_than_it_looks_back_is_found_by_the_next_sweep(log: Log) -> None:
    log.note(new_id("cube"))
    log.chain()
    log.note(new_id("cube"))
    with log.superuser() as su:
        su.execute("UPDATE audit_log SET at = now() - interval '3 hours' WHERE tenant_id = %s AND id NOT IN "
                   "(SELECT audit_id FROM audit_chain)", [log.tenant_id])  # fmt: skip
    log.chain()  # a process's first look sweeps
    _check(log, 2)


@pytest.mark.timeout(180)
def test_killed_at_any_moment_it_goes_on(log: Log) -> None:
    rounds, rows, chance = 4, 0, random.Random(7)
    for _ in range(rounds):
        command = [sys.executable, "-m", "tests.audit.run_sequencer", log.addresses.app, _folder(log), log.tenant_id]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as running:
            assert running.stdout is not None
            assert running.stdout.readline() == "running\n"
            log.note(*(new_id("cube") for _ in range(20)))
            rows += 20
            time.sleep(chance.random() * 0.2)
            running.kill()
        found = log.verify()
        assert found.ok, found
    log.chain()
    _check(log, rows)


def _folder(log: Log) -> str:
    folder = log.blobs._folder
    assert folder is not None
    return folder.as_uri()
