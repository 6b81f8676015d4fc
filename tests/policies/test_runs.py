"""Runs of policies against a real database: what they change, what they leave alone, and what a kill or a second
delivery makes of them.
"""

from collections import Counter
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memos.cubes import changes
from memos.cubes.versions import blob_key
from memos.kit.errors import NotFound
from memos.policies import run as running
from memos.policies import service, store
from memos.policies.run import PolicyTask, SweepTask
from memos.policies.schemas import PolicyCreate, PolicyPatch, PolicyRun
from tests.support.lab import Lab

pytestmark = pytest.mark.anyio
PAST = datetime(2026, 1, 1, tzinfo=UTC)


async def policy(place: Lab, rule: dict[str, Any], **fields: Any) -> str:
    wanted = PolicyCreate.model_validate({"name": "a rule", "rule": rule} | fields)
    async with place.database.unit_of_work(place.tenant) as work:
        return (await service.create(work, wanted, "test")).id


async def asked(place: Lab, policy_id: str, *, dry_run: bool = False) -> str:
    async with place.database.unit_of_work(place.tenant) as work:
        return (await service.request_run(work, policy_id, dry_run=dry_run, created_by="test")).id


async def carried_out(place: Lab, policy_id: str, run_id: str) -> PolicyRun:
    await PolicyTask(place.database, place.generator, place.blobs, place.recipes)(place.tenant, run_id)
    async with place.database.unit_of_work(place.tenant) as work:
        return await service.get_run(work, policy_id, run_id)


async def ran(place: Lab, rule: dict[str, Any], **fields: Any) -> PolicyRun:
    policy_id = await policy(place, rule, **fields)
    return await carried_out(place, policy_id, await asked(place, policy_id))


async def decisions(place: Lab, run: PolicyRun) -> list[Any]:
    async with place.database.unit_of_work(place.tenant) as work:
        rows = await store.decisions(work, policy_id=run.policy_id, run_id=run.id, before=None, limit=1000)
    return [service.decision_view(row) for row in rows][::-1]


def read(place: Lab, cube: str, times: int, *, days_ago: float = 0) -> None:
    when = datetime.now(UTC) - timedelta(days=days_ago)
    place.plant("UPDATE memcubes SET reads = reads + %s, last_read_at = %s WHERE id = %s", times, when, cube)


async def test_the_oldest_are_archived_and_everything_is_still_there(place: Lab) -> None:
    cubes = [await place.cube(f"fact {n}") for n in range(5)]
    before = place.contents()
    run = await ran(place, {"kind": "fifo", "most": 2})
    assert (run.status, run.considered, run.decided, run.done, run.skipped) == ("done", 5, 3, 3, 0)
    assert [place.lives()[cube] for cube in cubes] == ["archived"] * 3 + ["activated"] * 2
    assert place.contents() == before
    (event,) = place.look("SELECT * FROM cube_events WHERE cube_id = %s AND to_lifecycle = 'archived'", cubes[0])
    assert event["created_by"] == f"policy:{run.policy_id}"
    assert event["details"]["run_id"] == run.id
    assert "first in, first out" in event["reason"]


async def test_a_dry_run_lists_what_the_run_then_does(place: Lab) -> None:
    cubes = [await place.cube(f"fact {n}", priority=n % 2) for n in range(6)]
    policy_id = await policy(place, {"kind": "count_budget", "most": 2}, action="expire")
    lives, contents = place.lives(), place.contents()
    events = place.look("SELECT count(*) n FROM cube_events")
    dry = await carried_out(place, policy_id, await asked(place, policy_id, dry_run=True))
    assert (dry.status, dry.decided, dry.done) == ("done", 4, 0)
    assert (place.lives(), place.contents()) == (lives, contents)
    assert place.look("SELECT count(*) n FROM cube_events") == events
    wet = await carried_out(place, policy_id, await asked(place, policy_id))
    listed = [[(d.cube_id, d.action, d.reason) for d in await decisions(place, run)] for run in (dry, wet)]
    assert listed[0] == listed[1]
    assert {d.outcome for d in await decisions(place, dry)} == {"dry_run"}
    assert {cube for cube, life in place.lives().items() if life == "expired"} == {one for one, _, _ in listed[0]}
    assert place.lives()[cubes[5]] == "activated"


async def test_scopes_hold(place: Lab) -> None:
    ada, bob = [await place.cube("a", user_id=user) for user in ("ada", "bob")]
    state = await place.told(1)
    shared = await place.cube("nobody's", user_id=None)
    assert (await ran(place, {"kind": "fifo", "most": 0}, user_id="bob")).decided == 1
    lives = place.lives()
    wanted = {ada: "activated", bob: "archived", state: "activated", shared: "activated"}
    assert {cube: lives[cube] for cube in wanted} == wanted
    episodes = len(lives) - len(wanted)  # what was said and what was answered
    # And no conversation loses its state.
    assert (episodes, (await ran(place, {"kind": "fifo", "most": 0})).decided) == (2, 2 + episodes)
    assert place.lives()[state] == "activated"
    assert (await ran(place, {"kind": "fifo", "most": 0}, cube_kind="activation")).decided == 1
    assert place.lives()[state] == "archived"


async def test_numbers_may_hold_for_each_user(place: Lab) -> None:
    for n in range(3):
        for user in ("ada", "bob"):
            await place.cube(f"{n}", user_id=user)
    assert (await ran(place, {"kind": "fifo", "most": 2}, per_user=True)).done == 2
    left = Counter(r["user_id"] for r in place.look("SELECT user_id FROM memcubes WHERE lifecycle = 'activated'"))
    assert left == {"ada": 2, "bob": 2}


async def test_frozen_cubes_are_not_touched_nor_counted(place: Lab) -> None:
    cubes = [await place.cube(f"{n}") for n in range(4)]
    await place.freeze(cubes[0])
    run = await ran(place, {"kind": "fifo", "most": 2})
    assert (run.considered, run.done) == (3, 1)
    assert place.lives() == dict.fromkeys(cubes, "activated") | {cubes[1]: "archived"}


async def test_use_protects(place: Lab) -> None:
    cubes = [await place.cube(f"{n}") for n in range(3)]
    read(place, cubes[0], 5)
    assert (await ran(place, {"kind": "least_often_used", "most": 2})).done == 1
    assert place.lives()[cubes[1]] == "archived"
    assert (await ran(place, {"kind": "reinforce", "most": 1})).done == 1
    assert place.lives()[cubes[0]] == "activated"
    assert (await ran(place, {"kind": "byte_budget", "most_bytes": 0})).done == 1


async def test_reads_by_turns_make_stronger(place: Lab) -> None:
    """The moments come from the turns that read: the weaker is the one whose reads are long ago."""
    once, often = [await place.cube(f"{n}", user_id="bob") for n in range(2)]
    await place.told(4)
    for cube, turns in ((once, 1), (often, 3)):
        place.plant(
            "INSERT INTO turn_reads (tenant_id, turn_id, version_id, rank) "
            "SELECT c.tenant_id, t.id, c.head_version_id, 9 FROM memcubes c JOIN turns t USING (tenant_id) "
            "WHERE c.id = %s ORDER BY t.seq LIMIT %s",
            cube, turns,
        )  # fmt: skip
    async with place.database.unit_of_work(place.tenant) as work:
        found = await store.uses(work, [once, often])
    assert [len(found[once]), len(found[often])] == [1, 3]
    assert (await ran(place, {"kind": "reinforce", "most": 1}, cube_kind="plaintext", user_id="bob")).done == 1
    assert place.lives()[once] == "archived"


async def test_the_built_in_rule_keeps_a_cubes_own_lifespan(place: Lab) -> None:
    past = await place.cube("gone", expires_at=PAST)
    ahead = await place.cube("not yet", expires_at=datetime.now(UTC) + timedelta(days=1))
    kept = await place.cube("frozen", expires_at=PAST)
    await place.freeze(kept)
    before = place.contents()
    builtin = place.look("SELECT id FROM policies WHERE builtin")[0]["id"]
    await SweepTask(place.database)(place.tenant, "sched_x")
    await SweepTask(place.database)(place.tenant, "sched_x")  # and no second one while the first is open
    (run,) = place.look("SELECT id FROM policy_runs WHERE policy_id = %s", builtin)
    assert (await carried_out(place, builtin, run["id"])).done == 1
    assert place.lives() == {past: "expired", ahead: "activated", kept: "activated"}
    assert place.contents() == before
    await SweepTask(place.database)(place.tenant, "sched_x")  # not due again
    assert len(place.look("SELECT id FROM policy_runs")) == 1
    for _ in range(3):  # and runs that decide nothing leave one row
        place.plant("UPDATE policies SET last_run_at = now() - interval '1 hour' WHERE id = %s", builtin)
        await SweepTask(place.database)(place.tenant, "sched_x")
        for row in place.look("SELECT id FROM policy_runs WHERE status <> 'done'"):
            await carried_out(place, builtin, row["id"])
    assert [row["decided"] for row in place.look("SELECT decided FROM policy_runs ORDER BY id")] == [1, 0]
    async with place.database.unit_of_work(place.tenant) as work:
        with pytest.raises(service.BuiltinPolicy):
            await service.remove(work, builtin)
        with pytest.raises(service.BuiltinPolicy):
            await service.change(work, builtin, PolicyPatch(name="mine"))
        assert not (await service.change(work, builtin, PolicyPatch(enabled=False))).enabled


@pytest.mark.parametrize("meanwhile", ["frozen", "archived", "read", "changed"])
async def test_what_changed_meanwhile_is_left_alone(
    place: Lab, meanwhile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    cube, other = await place.cube("one"), await place.cube("two")
    policy_id = await policy(place, {"kind": "least_recently_used", "most": 0})
    run_id = await asked(place, policy_id)
    with stopped_after_the_plan(monkeypatch):
        await carried_out(place, policy_id, run_id)
    if meanwhile == "frozen":
        await place.freeze(cube)
    elif meanwhile == "archived":
        async with place.database.unit_of_work(place.tenant) as work:
            await changes.transition(work, await changes.lock(work, cube), "archived", reason="test", by="test")
    elif meanwhile == "read":
        read(place, cube, 1)
    else:
        await place.revise(cube, "one, changed")
    run = await carried_out(place, policy_id, run_id)
    assert (run.done, run.skipped) == (1, 1)
    assert place.lives()[other] == "archived"
    ended = {d.cube_id: d for d in await decisions(place, run)}
    assert ended[cube].outcome == "skipped"
    assert "meanwhile" in ended[cube].outcome_reason or "already" in ended[cube].outcome_reason


class Killed(Exception):
    pass


class stopped_after_the_plan:
    """The process dies between the plan and the first deed."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self._patch = monkeypatch

    def __enter__(self) -> None:
        self._context = self._patch.context()
        self._context.__enter__().setattr(PolicyTask, "_carry_out", dies)

    def __exit__(self, kind: type[BaseException] | None, *rest: Any) -> bool:
        self._context.__exit__(None, None, None)
        assert kind is Killed
        return True


async def dies(*_: Any) -> None:
    raise Killed


async def killed_at(place: Lab, patch: pytest.MonkeyPatch, run_id: str, step: int) -> bool:
    """Runs the task and lets it die at the step so numbered, before or after it; False: there were not so many."""
    left = [step]

    def deadly(real: Any) -> Any:
        async def call(*args: Any, **kwargs: Any) -> Any:
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            answer = await real(*args, **kwargs)
            left[0] -= 1
            if left[0] == 0:
                raise Killed
            return answer

        return call

    with patch.context() as scope:
        for name in ("lock_run", "insert_decisions", "planned", "lock_open", "end", "run_done", "cubes"):
            scope.setattr(store, name, deadly(getattr(store, name)))
        scope.setattr(changes, "transition", deadly(changes.transition))
        try:
            await PolicyTask(place.database, place.generator, place.blobs, place.recipes)(place.tenant, run_id)
        except Killed:
            return True
    return False


async def test_killed_at_every_step_and_delivered_twice_it_takes_effect_once(
    place: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "BATCH", 2)
    policy_id = await policy(place, {"kind": "fifo", "most": 0})
    died, step = True, 0
    while died:
        step += 1
        for n in range(3):
            await place.cube(f"{step} {n}")
        before = place.contents()
        run_id = await asked(place, policy_id)
        died = await killed_at(place, monkeypatch, run_id, step)
        archived = {cube for cube, life in place.lives().items() if life == "archived"}
        ended = {row["cube_id"] for row in place.look("SELECT cube_id FROM policy_decisions WHERE outcome = 'done'")}
        assert archived == ended, "a deed without its outcome, or an outcome without its deed"
        assert len(place.look("SELECT id FROM policy_decisions WHERE run_id = %s", run_id)) in (0, 3), "half a plan"
        for _ in range(2):
            run = await carried_out(place, policy_id, run_id)
            assert (run.status, run.decided, run.done) == ("done", 3, 3)
        assert place.contents() == before
    assert step > 20
    events = place.look("SELECT cube_id FROM cube_events WHERE to_lifecycle = 'archived'")
    assert len({row["cube_id"] for row in events}) == len(events) == 3 * step
    assert len(place.look("SELECT 1 FROM audit_log WHERE action = 'policies.archive'")) == 3 * step


async def test_the_test_sees_an_outcome_apart_from_its_deed(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the outcome is written in a transaction of its own, after the deed's; a kill between them shows."""
    cube = await place.cube("one")
    policy_id = await policy(place, {"kind": "fifo", "most": 0})
    run_id = await asked(place, policy_id)

    async def apart(self: PolicyTask, tenant_id: str, run: Any) -> None:
        async with self.database.unit_of_work(tenant_id) as work:
            (decision,) = await store.lock_open(work, run["id"], 10)
            await running._carry_out_one(work, run, decision)
        raise Killed

    with monkeypatch.context() as scope:
        scope.setattr(PolicyTask, "_carry_out", apart)
        with pytest.raises(Killed):
            await carried_out(place, policy_id, run_id)
    assert place.lives()[cube] == "archived"
    assert place.look("SELECT outcome FROM policy_decisions") == [{"outcome": None}]  # what the test above refuses


async def test_thinning_proves_and_drops_nothing(place: Lab) -> None:
    state = await place.told(6)
    before, objects = place.contents(), place.look("SELECT count(*) n FROM blobs")
    policy_id = await policy(place, {"kind": "thin", "all_s": 1e-6, "hourly_s": 1e-6})
    run = await carried_out(place, policy_id, await asked(place, policy_id))
    assert (run.status, run.considered, run.decided, run.done, run.skipped) == ("done", 7, 5, 5, 0)
    for decision in await decisions(place, run):
        assert decision.cube_id == state
        assert decision.action == "report"
        assert decision.outcome_reason.startswith("proven: replaying its turn gives its hash; ")
    assert place.contents() == before
    assert place.look("SELECT count(*) n FROM blobs") == objects
    assert len(files(place)) == len({row["blob_id"] for row in before.values()} - {None})


def files(place: Lab) -> list[Any]:
    assert place.blobs._folder is not None
    return [path for path in place.blobs._folder.rglob("*") if path.is_file()]


async def test_a_state_that_replay_does_not_give_is_kept(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: a turn whose words are no longer those that made the state, and a state that lost the one before it."""
    await place.told(4)
    place.plant("UPDATE turns SET input = 'another' WHERE seq = 2 AND tenant_id = %s", place.tenant)
    second = next(row for row in place.contents().values() if row["number"] == 2)
    place.blobs.delete(blob_key(second["blob_id"]))
    place.forget()
    policy_id = await policy(place, {"kind": "thin", "all_s": 1e-6, "hourly_s": 1e-6})
    run = await carried_out(place, policy_id, await asked(place, policy_id))
    reasons = [(d.outcome, d.outcome_reason) for d in await decisions(place, run)]
    assert reasons[0][0] == "done"
    assert reasons[1:] == [
        ("skipped", "kept: replaying its turn gives another hash"),
        ("skipped", "kept: the state before it cannot be used (state_unreadable)"),
    ]  # fmt: skip


async def test_a_removed_policy_decides_nothing_more(place: Lab) -> None:
    cube = await place.cube("one")
    policy_id = await policy(place, {"kind": "fifo", "most": 0})
    run_id = await asked(place, policy_id)
    async with place.database.unit_of_work(place.tenant) as work:
        await service.remove(work, policy_id)
        with pytest.raises(NotFound):
            await service.get(work, policy_id)
    assert (await carried_out(place, policy_id, run_id)).decided == 0
    assert place.lives()[cube] == "activated"


async def test_a_rule_that_erases_hands_over_to_erasure_once(place: Lab) -> None:
    """Only one whose action says so, and that an admin made; the policy itself takes no byte."""
    cube, kept = await place.cube("one"), await place.cube("two")
    before = place.contents()
    policy_id = await policy(place, {"kind": "fifo", "most": 1}, action="erase")
    run_id = await asked(place, policy_id)
    for _ in range(2):
        run = await carried_out(place, policy_id, run_id)
    (erasure,) = place.look("SELECT * FROM erasures")
    assert (erasure["target"], erasure["subject"], erasure["dry_run"]) == ("cube", cube, False)
    assert erasure["requested_by"] == f"policy:{policy_id}"
    assert place.look("SELECT task, status FROM outbox WHERE subject = %s", erasure["id"]) == [
        {"task": "erase", "status": "queued"}
    ]
    (decision,) = await decisions(place, run)
    assert decision.outcome_reason == f"handed to erasure {erasure['id']}"
    assert place.contents() == before
    assert place.lives() == {cube: "activated", kept: "activated"}
