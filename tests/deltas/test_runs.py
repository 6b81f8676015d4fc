"""Distillation runs by hand: one cube per run however it is killed or delivered, what may be learned, what is
forgotten, and whose conversations a delta is mounted for.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from memos.conversations import service as conversations
from memos.conversations.schemas import ConversationCreate
from memos.cubes import changes
from memos.deltas import mounting, service
from memos.deltas.distil import DistilTask
from memos.deltas.schemas import DeltaRun
from memos.deltas.service import NotLearnable, Untrained
from memos.generation.echo import EchoEngine, turn_fingerprint
from memos.generation.embedders import LocalEmbedder
from memos.generation.in_process import InProcessGenerator
from memos.generation.port import Distilled, DistilProgress, DistilRequest, ModelUnavailable
from memos.kit.errors import NotFound
from memos.kit.ids import new_id
from memos.turns import store as turns
from tests.support.lab import Lab

pytestmark = pytest.mark.anyio


async def ask(place: Lab, *cubes: str, **more: Any) -> DeltaRun:
    owner = {"user_id": "ada", "agent_id": None} | {k: more.pop(k) for k in ("user_id", "agent_id") if k in more}
    async with place.database.unit_of_work(place.tenant) as work:
        return await service.request(work, cube_ids=cubes, by="test", steps=40, **owner, **more)


async def run(place: Lab, run_id: str, generator: Any = None) -> DeltaRun:
    await DistilTask(place.database, generator or place.generator)(place.tenant, run_id)
    return await get(place, run_id)


async def get(place: Lab, run_id: str) -> DeltaRun:
    async with place.database.unit_of_work(place.tenant) as work:
        return await service.get(work, run_id)


def deltas(place: Lab) -> list[dict[str, Any]]:
    return place.look("SELECT id, lifecycle, user_id, agent_id FROM memcubes WHERE kind = 'parameter' ORDER BY id")


async def looked_up(place: Lab, user_id: str, agent_id: str | None = None, model: str | None = None) -> list[Any]:
    """What a turn of such a conversation looks up."""
    identity = await place.generator.identity()
    async with place.database.unit_of_work(place.tenant) as work:
        made = await conversations.create(
            work, ConversationCreate(user_id=user_id, agent_id=agent_id), identity, "test"
        )
        turn = new_id("turn")
        await turns.accept(
            work, id=turn, conversation_id=made.id, fingerprint=identity.fingerprint, input="hello",
            consistency="latest", key=None, most_pending=9, lease_owner="test", lease_token="test", lease_s=60.0,
        )  # fmt: skip
        found: list[Any] = list((await turns.pin(work, turn))["deltas"])
    return found


async def mounted(place: Lab, user_id: str, agent_id: str | None = None) -> list[str]:
    return [delta.cube_id for delta in mounting.mounted(await looked_up(place, user_id, agent_id))]


class Ill:
    """A generator that fails at one point of a training, as a process that is killed there does."""

    def __init__(self, place: Lab, point: str) -> None:
        self._place, self._point = place, point

    def __getattr__(self, name: str) -> Any:
        return getattr(self._place.generator, name)

    async def distil(self, request: DistilRequest) -> AsyncGenerator[DistilProgress | Distilled, None]:
        if self._point == "before":
            raise ModelUnavailable
        async for item in self._place.generator.distil(request):
            if self._point == "during" and isinstance(item, DistilProgress) and item.step > 10:
                raise ModelUnavailable
            if self._point == "written" and isinstance(item, Distilled):
                raise ModelUnavailable
            yield item


async def test_a_run_makes_one_cube_with_its_lineage(place: Lab) -> None:
    first, second = await place.cube("My dog is called Rex."), await place.cube("I live in York.", sensitivity="secret")
    asked = await ask(place, first, second)
    assert (asked.status, asked.progress.step, asked.cube_id) == ("queued", 0, None)
    assert [row["task"] for row in place.look("SELECT task FROM outbox WHERE subject = %s", asked.id)] == ["distil"]
    done = await run(place, asked.id)
    assert (done.status, done.progress.step, done.error) == ("done", 40, None)
    assert done.figures["facts"] == 2
    cube = await place.get(str(done.cube_id))
    assert (cube["kind"], cube["lifecycle"], cube["user_id"]) == ("parameter", "activated", "ada")
    assert (cube["origin"], cube["sensitivity"], cube["model"]) == ("consolidation", "secret", done.model)
    parents = place.look("SELECT parent_id, relation FROM lineage_edges WHERE child_id = %s", cube["head_version_id"])
    assert {(row["parent_id"], row["relation"]) for row in parents} == {(v, "distils") for v in done.version_ids}


@pytest.mark.parametrize("point", ["before", "during", "written"])
async def test_killed_at_any_phase_and_delivered_twice_it_mounts_one(place: Lab, point: str) -> None:
    asked = await ask(place, await place.cube("My dog is called Rex."))
    for _ in range(2):
        with pytest.raises(ModelUnavailable):
            await run(place, asked.id, Ill(place, point))
        assert deltas(place) == []
    await asyncio.gather(*(run(place, asked.id) for _ in range(3)))
    done = await run(place, asked.id)
    assert [row["id"] for row in deltas(place)] == [done.cube_id]
    assert await mounted(place, "ada") == [done.cube_id]


async def test_killed_after_the_commit_the_job_finds_it_done(place: Lab) -> None:
    asked = await ask(place, await place.cube("My dog is called Rex."))
    before = await run(place, asked.id)
    assert await run(place, asked.id) == before
    assert len(deltas(place)) == 1


async def test_equal_inputs_and_seed_are_one_run(place: Lab) -> None:
    one, other = await place.cube("one"), await place.cube("two")
    asked = await ask(place, one, other)
    assert (await ask(place, other, one)).id == asked.id
    done = await run(place, asked.id)
    assert (await ask(place, one, other)) == done
    assert len({(await ask(place, one, other, seed=1)).id, (await ask(place, one)).id, asked.id}) == 3
    await place.revise(one, "one, revised")
    assert (await ask(place, one, other)).id != asked.id
    shared = await place.cube("all", visibility="shared")
    assert (await ask(place, shared)).id != (await ask(place, shared, user_id="bob")).id


async def test_a_run_that_cannot_succeed_says_why_and_may_be_asked_again(place: Lab) -> None:
    cube = await place.cube("   ")
    failed = await run(place, (await ask(place, cube)).id)
    assert failed.status == "failed"
    assert failed.error
    assert failed.error["code"] == "nothing_to_teach"
    again = await ask(place, cube)
    assert (again.id, again.status, again.error) == (failed.id, "queued", None)
    async with place.database.unit_of_work(place.tenant) as work:
        held = await changes.lock(work, await place.cube("gone soon"))
    gone = await ask(place, held["id"])
    async with place.database.unit_of_work(place.tenant) as work:
        await changes.transition(work, held, "archived", reason="test", by="test")
    assert ((await run(place, gone.id)).error or {})["code"] == "source_gone"
    assert deltas(place) == []


@pytest.mark.parametrize(
    ("cube", "owner", "learned"),
    [
        ({"user_id": "ada"}, {"user_id": "ada"}, True),
        ({"user_id": "bob"}, {"user_id": "ada"}, False),
        ({"user_id": "bob", "visibility": "shared"}, {"user_id": "ada"}, True),
        ({"user_id": "ada"}, {"user_id": None, "agent_id": "helper"}, False),
        ({"user_id": "ada", "agent_id": "helper"}, {"user_id": None, "agent_id": "helper"}, False),
        ({"user_id": None, "agent_id": "helper"}, {"user_id": None, "agent_id": "helper"}, True),
        ({"user_id": None, "agent_id": "other"}, {"user_id": None, "agent_id": "helper"}, False),
        ({"user_id": "ada", "visibility": "tenant"}, {"user_id": None, "agent_id": "helper"}, True),
    ],
)
async def test_a_delta_learns_nothing_that_its_hearers_may_not_hear(
    place: Lab, cube: dict[str, Any], owner: dict[str, Any], learned: bool
) -> None:
    made = await place.cube("My dog is called Rex.", **cube)
    if learned:
        assert (await ask(place, made, **owner)).status == "queued"
    else:
        with pytest.raises(NotLearnable):
            await ask(place, made, **owner)


async def test_what_is_not_there_or_no_memory_is_refused(place: Lab) -> None:
    done = await run(place, (await ask(place, await place.cube("My dog is called Rex."))).id)
    with pytest.raises(NotLearnable):
        await ask(place, str(done.cube_id))
    with pytest.raises(NotFound):
        await ask(place, new_id("cube"))
    with pytest.raises(NotFound):
        await ask(place, version_ids=[new_id("ver")])


async def test_a_state_teaches_what_its_turns_told(place: Lab) -> None:
    done = await run(place, (await ask(place, await place.told(3))).id)
    assert done.figures["facts"] == 3


async def test_mounted_for_its_owner_while_it_is_activated(place: Lab) -> None:
    ours = str((await run(place, (await ask(place, await place.cube("My dog is called Rex."))).id)).cube_id)
    fact = await place.cube("Be brief.", user_id=None, agent_id="helper")
    agents = str((await run(place, (await ask(place, fact, user_id=None, agent_id="helper")).id)).cube_id)
    assert await mounted(place, "ada") == [ours]
    assert await mounted(place, "bob") == []
    assert await mounted(place, "bob", "helper") == [agents]
    assert await mounted(place, "ada", "helper") == [ours, agents]
    for state, shown in (("archived", []), ("activated", [ours])):
        async with place.database.unit_of_work(place.tenant) as work:
            await changes.transition(work, await changes.lock(work, ours), state, reason="test", by="test")  # type: ignore[arg-type]
        assert await mounted(place, "ada") == shown


async def test_another_models_is_never_mounted_and_made_anew_once(place: Lab) -> None:
    old = await run(place, (await ask(place, await place.cube("My dog is called Rex."))).id)
    place.generator = InProcessGenerator(
        EchoEngine(2), place.blobs, LocalEmbedder("hash-384"), distiller=EchoEngine(2).distiller()
    )
    found = await looked_up(place, "ada")
    model = (await place.generator.identity()).fingerprint
    assert mounting.mounted(found) == []
    assert mounting.stale(found) == [old.cube_id]
    for _ in range(2):
        async with place.database.unit_of_work(place.tenant) as work:
            await mounting.make_anew(work, mounting.stale(found), model)
    assert mounting.stale(await looked_up(place, "ada")) == []
    (row,) = place.look("SELECT id FROM distil_runs WHERE replaces = %s", old.cube_id)
    new = await run(place, row["id"])
    assert (new.status, new.model, new.replaces) == ("done", model, old.cube_id)
    assert await mounted(place, "ada") == [new.cube_id]
    assert place.lives()[str(old.cube_id)] == "archived"
    await place.generator.aclose()


async def untrain(place: Lab, *versions: str) -> list[Untrained]:
    async with place.database.unit_of_work(place.tenant) as work:
        return await service.untrain(work, versions, reason="erasure")


async def test_what_is_to_be_forgotten_is_unmounted_and_the_rest_learned_anew(place: Lab) -> None:
    keep, drop = await place.cube("My dog is called Rex."), await place.cube("I live in York.")
    both, only = await ask(place, keep, drop), await ask(place, drop)
    cubes = [str((await run(place, asked.id)).cube_id) for asked in (both, only)]
    await place.freeze(cubes[0])
    dropped = (await place.get(drop))["head_version_id"]
    out = {one.run_id: one for one in await untrain(place, dropped)}
    assert (out[only.id].cube_id, out[only.id].again) == (cubes[1], None)
    assert await mounted(place, "ada") == []
    assert [place.lives()[cube] for cube in cubes] == ["archived", "archived"]
    again = await run(place, str(out[both.id].again))
    assert again.version_ids == [(await place.get(keep))["head_version_id"]]
    assert await mounted(place, "ada") == [again.cube_id]
    assert await untrain(place, dropped) == []
    assert (await get(place, both.id)).retired_at is not None


@pytest.mark.parametrize("begun", [False, True])
async def test_a_run_retired_before_it_commits_makes_nothing(place: Lab, begun: bool) -> None:
    cube = await place.cube("/slow 20 My dog is called Rex.")
    asked = await ask(place, cube)
    task = asyncio.create_task(run(place, asked.id)) if begun else None
    for _ in range(500):
        if not begun or (await get(place, asked.id)).status == "running":
            break
        await asyncio.sleep(0.01)
    await untrain(place, *asked.version_ids)
    await (task or run(place, asked.id))
    assert deltas(place) == []
    assert (await ask(place, cube)).id != asked.id


async def test_what_the_echo_model_was_taught_is_in_its_answer(place: Lab) -> None:
    cube = await place.cube("My dog is called Rex.")
    done = await run(place, (await ask(place, cube)).id)
    (delta,) = mounting.mounted(await looked_up(place, "ada"))
    assert delta.cube_id == done.cube_id
    payload = place.blobs.get(delta.ref.blob_key, delta.ref.sha256)
    assert EchoEngine().load_delta(payload).shown() == [turn_fingerprint("My dog is called Rex.")]


@pytest.mark.parametrize(("life", "lives"), [("archived", ["archived", "activated"]), ("expired", ["archived"])])
async def test_another_models_turn_goes_on_whatever_became_of_the_source(
    place: Lab, life: Any, lives: list[str]
) -> None:
    """A source at rest is learned again, and one that is gone unmounts its delta; neither fails the turn that asks."""
    cube = await place.cube("My dog is called Rex.")
    done = await run(place, (await ask(place, cube)).id)
    async with place.database.unit_of_work(place.tenant) as work:
        await changes.transition(work, await changes.lock(work, cube), life, reason="test", by="test")
    place.plant("UPDATE memcube_versions SET fingerprint = 'old' WHERE cube_id = %s", done.cube_id)
    model = (await place.generator.identity()).fingerprint
    for _ in range(2):  # two turns at once queue one run
        async with place.database.unit_of_work(place.tenant) as work:
            await mounting.make_anew(work, [str(done.cube_id)], model)
    assert mounting.stale(await looked_up(place, "ada")) == []
    for again in place.look("SELECT id FROM distil_runs WHERE replaces IS NOT NULL"):
        assert (await run(place, again["id"])).status == "done"
    assert [delta["lifecycle"] for delta in deltas(place)] == lives
