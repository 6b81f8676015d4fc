"""Consolidation against a real database: what each kind of step does, that nothing is ever lost by it, and that a step
is done whole or not at all, once.
"""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from memos.consolidation import run as running
from memos.consolidation import service, steps, store
from memos.consolidation.run import ConsolidateTask
from memos.consolidation.schemas import ConsolidationCreate, ConsolidationPlan
from memos.consolidation.texts import together
from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.chain import link_of
from memos.kernel.version import broken_links
from tests.support.lab import Lab

pytestmark = pytest.mark.anyio
PAST = datetime(2026, 1, 1, tzinfo=UTC)
DUPLICATES = ("I like green tea.", "i like  green TEA", "I really like green tea.")


async def asked(place: Lab, **fields: Any) -> str:
    wanted = ConsolidationCreate.model_validate({"user_id": "ada", "similarity": 0.8} | fields)
    async with place.database.unit_of_work(place.tenant) as work:
        return (await service.request(work, wanted, "test")).id


async def carried_out(place: Lab, run_id: str) -> ConsolidationPlan:
    await ConsolidateTask(place.database, place.generator)(place.tenant, run_id)
    async with place.database.unit_of_work(place.tenant) as work:
        return await service.get(work, run_id)


async def consolidated(place: Lab, **fields: Any) -> ConsolidationPlan:
    return await carried_out(place, await asked(place, **fields))


def edges(place: Lab, relation: str) -> list[tuple[str, str]]:
    rows = place.look("SELECT child_id, parent_id FROM lineage_edges WHERE relation = %s", relation)
    return [(row["child_id"], row["parent_id"]) for row in rows]


async def head(place: Lab, cube_id: str) -> Any:
    async with place.database.unit_of_work(place.tenant) as work:
        return await cubes.version_by_id(work, (await cubes.get_cube(work, cube_id))["head_version_id"])  # type: ignore[index]


def kept(before: dict[str, Any], after: dict[str, Any]) -> bool:
    """Every version that was there is there, byte for byte (P4)."""
    return all(after.get(version) == row for version, row in before.items())


async def test_near_duplicates_become_one_that_says_it_all(place: Lab) -> None:
    first = await place.cube(DUPLICATES[0], tags=["drink"], priority=2)
    others = [await place.cube(text, tags=["tea"]) for text in DUPLICATES[1:]]
    apart = [await place.cube("I like coffee."), await place.cube("I do not like green tea.")]
    before = place.contents()
    run = await consolidated(place)
    assert (run.status, run.considered, run.planned) == ("done", 5, 1)
    (step,) = run.steps
    assert (step.kind, step.outcome, set(step.cube_ids)) == ("merge", "done", {first, *others})
    (row,) = place.look("SELECT user_id, wanted FROM consolidations WHERE id = %s", run.id)
    assert (row["user_id"], "ada" in str(row["wanted"])) == ("ada", False)
    (made,) = step.made_cube_ids
    cube, version = await place.get(made), await head(place, made)
    assert version["content"] == "I really like green tea."
    assert (cube["tags"], cube["priority"], cube["user_id"]) == (["drink", "tea"], 2, "ada")
    assert {parent for _, parent in edges(place, "merges")} == set(step.version_ids)
    assert place.lives() == dict.fromkeys([first, *others], "merged") | dict.fromkeys([*apart, made], "activated")
    assert kept(before, place.contents())
    assert (await consolidated(place)).planned == 0  # and the next run finds nothing left to do


async def test_what_must_not_be_mixed_is_not(place: Lab) -> None:
    text = "I like green tea."
    for own in (
        {}, {"user_id": "bob"}, {"agent_id": "a"}, {"sensitivity": "secret"}, {"visibility": "tenant"},
        {"visibility": "shared"}, {"origin": "assistant"}, {"semantic_type": "episode"}, {"semantic_type": "fact"},
    ):  # fmt: skip
        await place.cube(text, **own)
    await place.freeze(await place.cube(text))
    run = await consolidated(place, steps=["merge", "supersede"])
    assert run.steps == []
    assert set(place.lives().values()) == {"activated"}


async def test_of_two_that_exclude_each_other_the_later_one_holds(place: Lab) -> None:
    oslo = await place.cube("I live in Oslo.", valid_from=PAST)
    bergen = await place.cube("I live in Bergen.", valid_from=PAST + timedelta(days=90))
    porto = await place.cube("I live in Porto.", valid_from=PAST + timedelta(days=120))
    soon = await place.cube("I live in Rome.", valid_from=datetime.now(UTC) + timedelta(days=9))
    before = place.contents()
    run = await consolidated(place)
    assert [(s.kind, s.outcome, s.cube_ids) for s in run.steps] == [
        ("supersede", "done", [bergen, oslo]), ("supersede", "done", [porto, bergen])
    ]  # fmt: skip
    assert place.lives() == {oslo: "archived", bergen: "archived", porto: "activated", soon: "activated"}
    closed = await head(place, oslo)
    assert (closed["content"], closed["valid_from"]) == ("I live in Oslo.", PAST)
    assert closed["valid_to"] == PAST + timedelta(days=90)
    assert (await head(place, bergen))["valid_to"] == PAST + timedelta(days=120)
    first = next(v for v, row in before.items() if row["cube_id"] == bergen)
    assert (first, closed["id"]) in edges(place, "supersedes")
    assert kept(before, place.contents())
    assert (await consolidated(place)).planned == 0
    async with place.database.unit_of_work(place.tenant) as work:  # and it can be taken back
        await changes.transition(work, await changes.lock(work, oslo), "activated", reason="test", by="test")


async def test_episodes_are_said_in_facts_that_they_hold(place: Lab) -> None:
    episodes = [
        await place.cube("Hello! My dog is called Rex. Is it late?", semantic_type="episode"),
        await place.cube("I live in Oslo. Good night.", semantic_type="episode"),
    ]
    before = place.contents()
    run = await consolidated(place, steps=["fold"])
    (step,) = run.steps
    assert (step.outcome, len(step.made_cube_ids)) == ("done", 2)
    facts = {cube: await head(place, cube) for cube in step.made_cube_ids}
    assert sorted(fact["content"] for fact in facts.values()) == ["I live in Oslo.", "My dog is called Rex."]
    assert {(await place.get(cube))["semantic_type"] for cube in facts} == {"fact"}
    assert sorted(parent for _, parent in edges(place, "distils")) == sorted(step.version_ids)
    assert all(place.lives()[episode] == "activated" for episode in episodes)
    assert kept(before, place.contents())
    assert (await consolidated(place, steps=["fold"])).planned == 0  # once


async def test_a_fact_that_no_episode_says_spoils_the_whole_step(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    await place.cube("My dog is called Rex.", semantic_type="episode")

    async def invents(episodes: Any) -> list[str]:
        return ["My dog is called Rex.", "My dog is old."]

    monkeypatch.setattr(place.generator, "fold", invents)
    before = place.contents()
    (step,) = (await consolidated(place)).steps
    assert (step.outcome, step.made_cube_ids) == ("skipped", [])
    assert step.outcome_reason == "the generator's facts are not all in what the episodes say"
    assert place.contents() == before

    async def cannot() -> bool:
        return False

    monkeypatch.setattr(place.generator, "can_fold", cannot)
    assert (await consolidated(place)).steps == []


async def test_what_is_often_read_and_stable_is_proposed_once(place: Lab) -> None:
    often, rarely, new = [await place.cube(text) for text in ("I am a nurse.", "I like jazz.", "I own a boat.")]
    secret = await place.cube("I am ill.", sensitivity="sensitive")
    place.plant("UPDATE memcubes SET reads = 50 WHERE id = ANY(%s)", [often, new, secret])
    place.plant("UPDATE memcube_versions SET created_at = now() - interval '9 days' WHERE cube_id <> %s", new)
    (step,) = (await consolidated(place)).steps
    assert (step.kind, step.cube_ids, step.outcome) == ("propose", [often], "done")
    assert (await consolidated(place)).steps == []
    async with place.database.unit_of_work(place.tenant) as work:
        (row,) = await store.proposals(work, status="open", user_id="ada", before=None, limit=9)
    assert row["reason"] == "read 50 times and unchanged for 9.0 days"
    async with place.database.unit_of_work(place.tenant) as work:
        accepted = await service.accept(work, row["id"], "test")
    (delta,) = place.look("SELECT * FROM distil_runs")
    assert (accepted.status, accepted.delta_run_id) == ("accepted", delta["id"])
    with pytest.raises(service.AlreadyDecided):
        async with place.database.unit_of_work(place.tenant) as work:
            await service.dismiss(work, row["id"], "test")
    assert place.lives()[rarely] == "activated"


async def test_an_outdated_proposal_is_not_accepted(place: Lab) -> None:
    cube = await place.cube("I am a nurse.")
    place.plant("UPDATE memcubes SET reads = 50")
    await consolidated(place, stable_s=0)
    await place.revise(cube, "I am a doctor.")
    (proposal,) = place.look("SELECT id FROM consolidation_proposals")
    with pytest.raises(service.ProposalOutdated):
        async with place.database.unit_of_work(place.tenant) as work:
            await service.accept(work, proposal["id"], "test")
    async with place.database.unit_of_work(place.tenant) as work:
        assert (await service.dismiss(work, proposal["id"], "test")).status == "dismissed"


async def test_a_dry_run_plans_and_changes_nothing(place: Lab) -> None:
    for text in (*DUPLICATES, "I live in Oslo.", "I live in Bergen."):
        await place.cube(text)
    await place.cube("My dog is called Rex.", semantic_type="episode")
    state = place.lives(), place.contents(), place.look("SELECT count(*) n FROM cube_events")
    dry = await consolidated(place, dry_run=True)
    assert [(s.kind, s.outcome) for s in dry.steps] == [
        ("supersede", "dry_run"), ("merge", "dry_run"), ("fold", "dry_run")
    ]  # fmt: skip
    assert (place.lives(), place.contents(), place.look("SELECT count(*) n FROM cube_events")) == state
    wet = await consolidated(place)
    assert [(s.kind, s.cube_ids, s.reason) for s in wet.steps] == [(s.kind, s.cube_ids, s.reason) for s in dry.steps]
    assert {s.outcome for s in wet.steps} == {"done"}


@pytest.mark.parametrize("meanwhile", ["frozen", "archived", "changed"])
async def test_who_moved_meanwhile_has_the_last_word(
    place: Lab, meanwhile: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = [await place.cube(text) for text in DUPLICATES]
    run_id = await asked(place)
    with monkeypatch.context() as scope:
        scope.setattr(ConsolidateTask, "_next", dies)
        with pytest.raises(Killed):
            await carried_out(place, run_id)
    if meanwhile == "frozen":
        await place.freeze(made[1])
    elif meanwhile == "changed":
        await place.revise(made[1], "I like coffee.")
    else:
        async with place.database.unit_of_work(place.tenant) as work:
            await changes.transition(work, await changes.lock(work, made[1]), "archived", reason="test", by="test")
    before = place.lives(), place.contents()
    (step,) = (await carried_out(place, run_id)).steps
    assert step.outcome == "skipped"
    assert made[1] in str(step.outcome_reason)
    assert (place.lives(), place.contents()) == before


class Killed(Exception):
    pass


async def dies(*_: Any) -> None:
    raise Killed


DEADLY = {
    store: ("read_run", "lock_run", "memories", "insert_steps", "planned", "next_step", "contents", "lock_step",
            "end_step", "propose", "run_done"),
    changes: ("create", "append", "transition", "lock"),
    running: ("carry_out",),
}  # fmt: skip


async def killed_at(place: Lab, patch: pytest.MonkeyPatch, run_id: str, step: int) -> bool:
    """Runs the task and lets it die at the call so numbered, before or after it; False: there were not so many."""
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
        for module, names in DEADLY.items():
            for name in names:
                scope.setattr(module, name, deadly(getattr(module, name)))
        try:
            await ConsolidateTask(place.database, place.generator)(place.tenant, run_id)
        except Killed:
            return True
    return False


def whole(place: Lab) -> bool:
    """No step is half done: what was merged has a living heir that lineage leads to, what was closed is archived and
    superseded, and every outcome has its deed."""
    lives = place.lives()
    merged = {cube for cube, life in lives.items() if life == "merged"}
    archived = {cube for cube, life in lives.items() if life == "archived"}
    done = place.look("SELECT kind, cube_ids, made_cube_ids FROM consolidation_steps WHERE outcome = 'done'")
    of = {kind: [row for row in done if row["kind"] == kind] for kind in ("merge", "supersede", "fold")}
    made = {cube for row in done for cube in row["made_cube_ids"]}
    new = {row["cube_id"] for row in place.look(
        "SELECT cube_id FROM memcube_versions WHERE number = 0 AND operation IN ('merge', 'distil')")}  # fmt: skip
    return (
        merged == {cube for row in of["merge"] for cube in row["cube_ids"]}
        and archived == {row["cube_ids"][1] for row in of["supersede"]}
        and made == new
        and len(edges(place, "supersedes")) == len(of["supersede"])
    )


async def scene(place: Lab, number: int) -> None:
    """One of everything, of a user of its own, so that each death begins with a fresh plan."""
    user = f"user {number}"
    for text in (*DUPLICATES, "I live in Oslo.", "I live in Bergen."):
        await place.cube(text, user_id=user)
    await place.cube("My dog is called Rex.", semantic_type="episode", user_id=user)
    place.plant("UPDATE memcubes SET reads = 50 WHERE id = %s", await place.cube("I play chess.", user_id=user))


@pytest.mark.parametrize("stride", [8, pytest.param(1, marks=pytest.mark.full)])
@pytest.mark.timeout(600)
async def test_killed_at_every_call_and_delivered_twice_each_step_is_done_once(
    place: Lab, monkeypatch: pytest.MonkeyPatch, stride: int
) -> None:
    step, died = 1 - stride, True
    while died:
        step += stride
        await scene(place, step)
        before = place.contents()
        run_id = await asked(place, user_id=f"user {step}", stable_s=0)
        died = await killed_at(place, monkeypatch, run_id, step)
        assert whole(place), step
        for _ in range(2):
            run = await carried_out(place, run_id)
            assert [(s.kind, s.outcome) for s in run.steps] == [
                ("supersede", "done"), ("merge", "done"), ("fold", "done"), ("propose", "done")
            ]  # fmt: skip
        assert whole(place)
        assert kept(before, place.contents())
    assert step > 60  # else the calls that matter are not there any more
    assert chains_broken(place) == []
    done = place.look("SELECT run_id, kind FROM consolidation_steps WHERE outcome = 'done' ORDER BY run_id, number")
    noted = place.look("SELECT subjects, action FROM audit_log WHERE action LIKE 'consolidation.%%' ORDER BY id")
    assert sorted((row["subjects"][0], row["action"]) for row in noted) == sorted(
        (row["run_id"], f"consolidation.{row['kind']}") for row in done
    )


def chains_broken(place: Lab) -> list[str]:
    lines: dict[str, list[Any]] = {}
    for row in place.look("SELECT * FROM memcube_versions ORDER BY number"):
        lines.setdefault(row["cube_id"], []).append(link_of(row))
    return [wrong for line in lines.values() for wrong in broken_links(line)]


async def test_the_test_sees_a_step_done_by_halves(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the merged cube is made in a transaction of its own, and the process dies before its sources follow."""
    await scene(place, 0)

    async def by_halves(self: ConsolidateTask, tenant_id: str, run: Any, step: Any, facts: Any) -> None:
        async with self.database.unit_of_work(tenant_id) as work:
            sources = await steps._locked(work, step)
            text = together([source.head["content"] for source in sources])
            await changes.create(work, steps._new(run, sources, text, operation="merge", relation="merges"))
        raise Killed

    monkeypatch.setattr(ConsolidateTask, "_carry_out", by_halves)
    run_id = await asked(place, user_id="user 0", steps=["merge"])
    with pytest.raises(Killed):
        await carried_out(place, run_id)
    assert not whole(place)


async def test_a_merge_that_would_lose_a_sentence_is_refused(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the merged text forgets the longest one; the check before the commit notices."""
    for text in DUPLICATES:
        await place.cube(text)
    before = place.lives(), place.contents()
    monkeypatch.setattr(steps, "together", lambda found: min(found, key=len))
    (step,) = (await consolidated(place)).steps
    assert (step.outcome, step.outcome_reason) == ("skipped", "the merged text would not say what one of them says")
    assert (place.lives(), place.contents()) == before
