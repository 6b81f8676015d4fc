"""The outbox without a queue: who may claim what, how a lease passes on, and how a job ends."""

import asyncio
from typing import Any

import pytest

from memos.conversations import service as conversations
from memos.conversations.schemas import RollbackRequest
from memos.generation.port import ModelUnavailable, StateUnreadable
from memos.kit.doors import ClaimedJob
from memos.outbox import store
from memos.outbox.relay import NotSent, Relay
from memos.outbox.watchdog import Watchdog
from memos.runtime import Background
from memos.turns import store as turns
from memos.turns.service import ADVANCE
from tests.workers.conftest import LEASE_S, Bench

pytestmark = pytest.mark.anyio


async def test_tenants_take_turns(bench: Bench) -> None:
    small = await bench.new_tenant()
    for number in range(40):
        await bench.record(f"big-{number:02}")
    await bench.record("small", tenant=small)
    first = await bench.claim(most=4)
    assert sorted(job.subject for job in first) == ["big-00", "big-01", "big-02", "small"]


async def test_one_job_of_a_subject_at_a_time(bench: Bench) -> None:
    for _ in range(3):
        await bench.record("one")
    batches = await asyncio.gather(*(bench.claim() for _ in range(6)))
    assert sum(len(batch) for batch in batches) == 1
    assert await bench.claim() == []


async def test_a_double_message_has_one_effect(bench: Bench) -> None:
    await bench.record("one")
    [job] = await bench.claim()
    await asyncio.gather(*(bench.runner().run(job) for _ in range(5)))
    await bench.runner().run(job)  # late: it is done
    assert bench.ran == ["one"]
    assert bench.jobs("status, dispatches") == [("done", 1)]


async def test_a_message_of_an_older_claim_serves_as_well_as_the_newer(bench: Bench) -> None:
    await bench.record("one")
    [older] = await bench.claim(lease_s=0.05)
    await asyncio.sleep(0.1)
    [newer] = await bench.claim()
    await bench.runner().run(newer)
    await bench.runner().run(older)
    assert bench.ran == ["one"]
    assert bench.jobs("status, dispatches, failures") == [("done", 2, 0)]


async def test_the_lease_passes_along_the_subject(bench: Bench) -> None:
    """While one run takes in all a conversation has pending, nobody else is sent to the same conversation."""
    conversation, turn_ids = await bench.conversation(4)
    [job] = await bench.claim()
    seen: list[Any] = []

    async def task(tenant_id: str, subject: str) -> Any:
        for turn_id in turn_ids:
            async with bench.runtime.database.unit_of_work(tenant_id) as work:
                await store.done_for_turns(work, [turn_id])
            seen.append((bench.jobs(), len(await bench.claim())))
            await asyncio.sleep(LEASE_S / 2)  # longer in all than one lease: it is kept for every row
        return "settled"

    await bench.runner(task).run(job)
    assert seen == [
        (["done", "running", "queued", "queued"], 0),
        (["done", "done", "running", "queued"], 0),
        (["done", "done", "done", "running"], 0),
        (["done"] * 4, 0),
    ]
    assert bench.jobs("dispatches") == [1, 0, 0, 0]
    assert conversation == job.subject


async def test_all_that_is_pending_is_taken_in_by_one_dispatch(bench: Bench) -> None:
    await bench.conversation(5)
    [job] = await bench.claim()
    await bench.runtime.jobs.run(job)
    assert bench.jobs() == ["done"] * 5
    assert bench.rows("SELECT count(*) FROM turns WHERE status = 'applied' AND tenant_id = %s", bench.tenant) == [(5,)]


async def test_a_failure_is_that_of_the_turn_where_it_happened(bench: Bench) -> None:
    _, turn_ids = await bench.conversation(3)
    [job] = await bench.claim()

    async def task(tenant_id: str, subject: str) -> Any:
        async with bench.runtime.database.unit_of_work(tenant_id) as work:
            await store.done_for_turns(work, turn_ids[:1])
        raise StateUnreadable

    await bench.runner(task, job_max_attempts=1).run(job)
    assert bench.jobs("status, failures, error ->> 'code'") == [
        ("done", 0, None), ("failed", 1, "state_unreadable"), ("queued", 0, None)
    ]  # fmt: skip
    assert await bench.claim() == [], "what is behind a failed job waits"


async def test_an_outage_counts_no_try_and_holds_the_whole_subject_back(bench: Bench) -> None:
    await bench.conversation(2)
    [job] = await bench.claim()

    async def task(tenant_id: str, subject: str) -> Any:
        raise ModelUnavailable

    await bench.runner(task).run(job)
    first = bench.jobs("status, failures, error ->> 'code', (error ->> 'tries')::int")
    assert first == [("queued", 0, "model_unavailable", 1), ("queued", 0, None, None)]
    assert await bench.claim() == [], "the second row is no way around the first one's delay"
    await asyncio.sleep(0.6)
    [again] = await bench.claim()
    await bench.runner(task).run(again)
    assert bench.jobs("(error ->> 'tries')::int") == [2, None]


async def test_a_worker_that_goes_silent_counts_against_its_job(bench: Bench) -> None:
    await bench.record("killer")
    for attempt in range(3):
        [job] = await bench.claim()
        assert bench.jobs("failures") == [attempt]
        async with bench.runtime.database.unit_of_work(job.tenant_id) as work:
            assert await store.take(work, job_id=job.job_id, owner="worker-killed", lease_s=0.05)
        await asyncio.sleep(0.1)
    [job] = await bench.claim()
    await bench.runner(job_max_attempts=3).run(job)
    assert bench.jobs("status, error ->> 'code'") == [("failed", "worker_lost")]
    assert bench.ran == []


async def test_a_lost_message_counts_nothing_against_its_job(bench: Bench) -> None:
    await bench.record("unlucky")
    for _ in range(3):
        assert len(await bench.claim(lease_s=0.05)) == 1
        await asyncio.sleep(0.1)
    assert bench.jobs("dispatches, failures") == [(3, 0)]


async def test_a_retried_job_runs_again(bench: Bench) -> None:
    await bench.record("one")
    [job] = await bench.claim()

    async def task(tenant_id: str, subject: str) -> Any:
        raise StateUnreadable

    await bench.runner(task, job_max_attempts=1).run(job)
    assert await bench.claim() == []
    async with bench.runtime.database.unit_of_work(bench.tenant) as work:
        assert await store.retry(work, job.job_id)
    [again] = await bench.claim()
    await bench.runner().run(again)
    assert bench.jobs("status, error") == [("done", None)]


async def test_a_change_of_the_subject_opens_what_failed_on_it(bench: Bench) -> None:
    """A rollback settles turns, a move to another model records a job of its own: both are worth another try."""
    conversation, turn_ids = await bench.conversation(2)

    async def task(tenant_id: str, subject: str) -> Any:
        raise StateUnreadable

    for change in ("move", "rollback"):
        [job] = await bench.claim()
        await bench.runner(task, job_max_attempts=1).run(job)
        assert "failed" in bench.jobs()
        async with bench.runtime.database.unit_of_work(bench.tenant) as work:
            if change == "move":
                await store.record(work, task=ADVANCE, subject=conversation, turn_id=None)
            else:
                await store.done_for_turns(work, turn_ids[1:])
        assert "failed" not in bench.jobs()


async def test_a_waiting_job_does_not_spin_and_is_nudged(bench: Bench) -> None:
    conversation, turn_ids = await bench.conversation(1)
    [job] = await bench.claim()
    await bench.runner().run(job)  # the task says so, but the turn is still not applied
    assert bench.jobs() == ["queued"]
    assert await bench.claim() == []
    async with bench.runtime.database.unit_of_work(bench.tenant) as work:
        await store.nudge(work, conversation)
    [job] = await bench.claim()

    async def nudged_meanwhile(tenant_id: str, subject: str) -> Any:
        async with bench.runtime.database.unit_of_work(tenant_id) as work:
            await store.nudge(work, subject)
        return "waiting"

    await bench.runner(nudged_meanwhile).run(job)
    assert len(await bench.claim()) == 1, "a nudge during the run is not lost"
    assert len(turn_ids) == 1


async def test_a_stopping_process_gives_its_job_back(bench: Bench) -> None:
    await bench.record("one")
    [job] = await bench.claim()
    begun = asyncio.Event()

    async def task(tenant_id: str, subject: str) -> Any:
        begun.set()
        await asyncio.sleep(60)

    running = asyncio.create_task(bench.runner(task).run(job))
    await begun.wait()
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert bench.jobs("status, failures") == [("queued", 0)]
    assert len(await bench.claim()) == 1


async def test_a_rollback_takes_the_jobs_of_what_it_leaves_behind_along(bench: Bench) -> None:
    conversation, turn_ids = await bench.conversation(2)
    [job] = await bench.claim()
    await bench.runtime.jobs.run(job)
    async with bench.runtime.database.unit_of_work(bench.tenant) as work:
        more = await turns.insert_imported(work, conversation, [("late", "late", None)] * 2)
        assert more is not None
        await store.record_many(work, task=ADVANCE, subject=conversation, turn_ids=more)
    [late] = await bench.claim()
    async with bench.runtime.database.unit_of_work(bench.tenant) as work:
        await conversations.rollback(work, conversation, RollbackRequest(to_turn=2), "test")
    assert bench.jobs() == ["done"] * 4
    await bench.runtime.jobs.run(late)  # its message was on the way
    written = (
        "SELECT turn_id FROM memcube_versions WHERE conversation_id = %s AND operation = 'advance' ORDER BY number"
    )
    assert [row[0] for row in bench.rows(written, conversation)] == turn_ids


async def test_a_loop_that_crashes_is_begun_again_and_shows(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    background = Background.in_process(bench.runtime)
    rounds, again = 0, asyncio.Event()

    async def buggy() -> int:
        nonlocal rounds
        rounds += 1
        if rounds == 1:
            raise KeyError("a bug")
        again.set()
        return 0

    monkeypatch.setattr(background.relay, "round", buggy)
    monkeypatch.setattr("memos.runtime.CRASH_PAUSE_S", 0.01)
    await background.start()
    try:
        assert background.status()["ok"]
        await again.wait()
        assert background.status()["crashed"] == ["relay"]
        monkeypatch.setattr("memos.runtime.CRASHED_FOR_S", 0.0)
        assert background.status()["ok"]
    finally:
        await background.stop()


class BrokenQueue:
    """Takes so many jobs, then refuses."""

    def __init__(self, takes: int) -> None:
        self.takes = takes
        self.resets = 0

    async def room(self) -> int:
        return 10

    async def dispatch(self, job: ClaimedJob) -> None:
        if self.takes == 0:
            raise NotSent
        self.takes -= 1

    async def reset(self) -> None:
        self.resets += 1

    async def aclose(self) -> None:
        pass


async def test_what_could_not_be_sent_is_put_back_at_once(bench: Bench) -> None:
    for number in range(4):
        await bench.record(f"s{number}")
    relay = Relay(bench.runtime.database, bench.runtime.wakeups, BrokenQueue(1), bench.runtime.settings)
    with pytest.raises(NotSent):
        await relay.round()
    assert sorted(bench.jobs()) == ["queued", "queued", "queued", "running"]


class Idler:
    progress = 0
    restarts = 0

    async def restart(self) -> None:
        self.restarts += 1


async def test_the_watchdog_barks_at_neglect_only(bench: Bench) -> None:
    idler = Idler()
    metrics = bench.runtime.metrics
    dog = Watchdog(bench.runtime.database, idler, metrics, patience_s=0.15, duty="both")

    async def barks() -> bool:
        looks = []
        for _ in range(4):
            looks.append(await dog.look())
            await asyncio.sleep(0.08)
        return any(looks)

    assert not await barks(), "nothing is due"
    await bench.record("one")
    assert await barks(), "due and not dispatched"
    [job] = await bench.claim(lease_s=30)
    assert await barks(), "dispatched and not taken"
    async with bench.runtime.database.unit_of_work(bench.tenant) as work:
        await store.take(work, job_id=job.job_id, owner="worker-1", lease_s=30)
    await bench.record("one")
    assert not await barks(), "worked on, and the next one waits for that"
    async with bench.runtime.database.unit_of_work(bench.tenant) as work:
        row = await store.held(work, subject="one", owner="worker-1")
        assert row is not None
    bench.rows("UPDATE outbox SET status = 'failed', error = '{}', lease_owner = NULL, lease_expires_at = NULL "
               "WHERE status = 'running' RETURNING id")  # fmt: skip
    assert not await barks(), "what waits behind a failed job is an admin's matter"
    assert idler.restarts == dog.restarts >= 2
    assert f"memos_watchdog_restarts_total {dog.restarts}.0".encode() in metrics.exposition()
    assert b'memos_outbox_jobs{status="failed",task="t"} 1.0' in metrics.exposition()
