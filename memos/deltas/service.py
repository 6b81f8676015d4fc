"""Distillation runs: asking for one, asking again, and making what was learned from a version be forgotten.

Notable choices:

* A run is its owner, its versions, its sizes and its seed. Who asks for the same again gets the same run, and a run
  makes one cube (`memos.deltas.distil`), however often it is delivered.
* A delta speaks to everybody whose conversations it is mounted for. So a user's delta learns what is that user's, or
  shared; an agent's, which every user of the agent hears, only what is the agent's own or shared.
* Nothing here deletes: a delta that must be forgotten is archived, which unmounts it, and is the eraser's from there.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from sqlalchemy import RowMapping

from memos.cubes import changes
from memos.deltas import store
from memos.deltas.schemas import MOST_INPUTS, RANK, SEED, STEPS, DeltaCreate, DeltaProgress, DeltaRun
from memos.kernel.canonical import canonical_json, sha256_hex
from memos.kernel.lifecycle import LIVE, Lifecycle, may_become
from memos.kit.errors import Invalid, NotFound
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store as outbox

DISTIL = "distil"  # the task


class NotLearnable(Invalid):
    """A delta cannot be made of that version."""

    code = "not_learnable"
    hint = "Choose living cubes of kind plaintext or activation that belong to the delta's owner, or are shared."


class NobodysDelta(Invalid):
    """A delta is a user's or an agent's."""

    code = "delta_owner"
    hint = "Give either user_id or agent_id: for whose conversations it is to be mounted."


class NothingNamed(Invalid):
    """A delta needs something to learn."""

    code = "nothing_named"
    hint = "Give cube_ids or version_ids."


@dataclass(frozen=True, slots=True)
class Untrained:
    """What became of one run whose inputs are to be forgotten. `cube_id`: its delta, archived, which still holds what
    it learned and is to be erased. `again`: the run that learns the rest anew; None when nothing is left."""

    run_id: str
    cube_id: str | None
    again: str | None


def learnable(replaces: str | None) -> Collection[Lifecycle]:
    """In which states of their life the inputs of a run may be. What a delta has learned, one that takes its place may
    learn again, as long as it was not expired or erased: promoting a memory archives it."""
    return LIVE if replaces is None else LIVE | {"archived", "merged"}


def view(row: RowMapping) -> DeltaRun:
    own = {name: row[name] for name in DeltaRun.model_fields if name not in ("progress", "model")}
    return DeltaRun(**own, model=row["fingerprint"], progress=DeltaProgress(step=row["step"], steps=row["steps"]))


async def get(work: UnitOfWork, run_id: str) -> DeltaRun:
    row = await store.get(work, run_id)
    if row is None:
        raise NotFound(f"there is no run {run_id}")
    return view(row)


async def create(work: UnitOfWork, wanted: DeltaCreate, by: str) -> DeltaRun:
    """What POST /v1/deltas asks for."""
    return await request(
        work,
        cube_ids=wanted.cube_ids,
        version_ids=wanted.version_ids,
        user_id=wanted.user_id,
        agent_id=wanted.agent_id,
        by=by,
        rank=wanted.rank,
        steps=wanted.steps,
        seed=wanted.seed,
    )


async def request(
    work: UnitOfWork,
    *,
    user_id: str | None,
    agent_id: str | None,
    by: str,
    cube_ids: Sequence[str] = (),
    version_ids: Sequence[str] = (),
    rank: int = RANK,
    steps: int = STEPS,
    seed: int = SEED,
    reason: str = "asked for",
    replaces: str | None = None,
    wanted_model: str | None = None,
) -> DeltaRun:
    """The run over these versions, and over the newest version of these cubes; queued if it is new or had failed.
    Raises NobodysDelta, NothingNamed, NotFound and NotLearnable."""
    if (user_id is None) == (agent_id is None):
        raise NobodysDelta
    rows = await _inputs(work, cube_ids, version_ids, user_id, agent_id, learnable(replaces))
    ids = [row["id"] for row in rows]
    key = sha256_hex(canonical_json([sorted(ids), rank, steps, seed, wanted_model]))
    run_id = new_id("run")
    new = await store.insert(
        work,
        ids,
        id=run_id,
        user_id=user_id,
        agent_id=agent_id,
        inputs_key=key,
        rank=rank,
        steps=steps,
        seed=seed,
        wanted_model=wanted_model,
        replaces=replaces,
        reason=reason,
        created_by=by,
    )
    row = await store.by_key(work, key, user_id, agent_id)
    await store.requeue(work, row["id"])
    if new or row["status"] in ("failed", "running"):  # a running one may have lost its job for good
        await outbox.record(work, task=DISTIL, subject=row["id"], turn_id=None)
    return await get(work, row["id"])


async def untrain(work: UnitOfWork, version_ids: Sequence[str], *, reason: str) -> list[Untrained]:
    """Retires every run that uses any of these versions: its delta is unmounted now, and what else it learned is queued
    to be learned anew. The caller erases the cubes that are named."""
    forgotten = set(version_ids)
    out = []
    for run in await store.learned_from(work, version_ids):
        await store.retire(work, run["id"])
        if run["cube_id"] is not None:
            await _unmount(work, run["cube_id"], reason=reason, by="task:untrain", even_frozen=True)
        left = [version for version in run["version_ids"] if version not in forgotten]
        again = await _again(work, run, left, reason) if left else None
        out.append(Untrained(run["id"], run["cube_id"], again))
    return out


async def retrain(work: UnitOfWork, cube_ids: Sequence[str], *, model: str, by: str) -> list[DeltaRun]:
    """Runs that make these deltas anew for another model, from the same texts and the newest states. They replace the
    old ones, which no turn of the new model mounts. What was promoted is at rest, and is learned again; a delta of
    which a source is gone is unmounted. Raises neither NotFound nor NotLearnable: it is a turn that asks."""
    runs = []
    for run in await store.of_cubes(work, cube_ids):
        rows = await store.inputs(work, run["version_ids"])
        newest = [row["head_version_id"] if row["kind"] == "activation" else row["id"] for row in rows]
        try:
            again = await request(
                work,
                version_ids=newest,
                user_id=run["user_id"],
                agent_id=run["agent_id"],
                by=by,
                rank=run["rank"],
                steps=run["steps"],
                seed=run["seed"],
                reason="the model has changed",
                replaces=run["cube_id"],
                wanted_model=model,
            )
        except (NotLearnable, NotFound):
            await replaced(work, run["cube_id"], reason="the model has changed, and a source is gone", by=by)
            continue
        runs.append(again)
    return runs


async def replaced(work: UnitOfWork, cube_id: str, *, reason: str, by: str) -> None:
    """Unmounts a delta whose place another has taken; a frozen one stays, as frozen cubes do."""
    await _unmount(work, cube_id, reason=reason, by=by, even_frozen=False)


async def _again(work: UnitOfWork, run: RowMapping, left: Sequence[str], reason: str) -> str | None:
    """None also when what is left cannot be learned any more: then there is nothing to keep."""
    try:
        made = await request(
            work,
            version_ids=left,
            user_id=run["user_id"],
            agent_id=run["agent_id"],
            by="task:untrain",
            rank=run["rank"],
            steps=run["steps"],
            seed=run["seed"],
            reason=reason,
        )
    except (NotLearnable, NotFound):
        return None
    return made.id


async def _unmount(work: UnitOfWork, cube_id: str, *, reason: str, by: str, even_frozen: bool) -> None:
    cube = await changes.lock(work, cube_id)
    if cube["frozen"] and even_frozen:
        await changes.set_frozen(work, cube, False, reason=reason, by=by)
        cube = await changes.lock(work, cube_id)
    if may_become(cube["lifecycle"], "archived", frozen=cube["frozen"]):
        await changes.transition(work, cube, "archived", reason=reason, by=by)


async def _inputs(
    work: UnitOfWork,
    cube_ids: Sequence[str],
    version_ids: Sequence[str],
    user_id: str | None,
    agent_id: str | None,
    among: Collection[Lifecycle],
) -> Sequence[RowMapping]:
    heads = await store.heads(work, cube_ids) if cube_ids else {}
    for cube_id in cube_ids:
        if cube_id not in heads:
            raise NotFound(f"there is no cube {cube_id}")
    wanted = dict.fromkeys([*heads.values(), *version_ids])
    if not wanted:
        raise NothingNamed
    if len(wanted) > MOST_INPUTS:
        raise Invalid(f"{len(wanted)} versions; {MOST_INPUTS} is the most that one delta learns")
    rows = await store.inputs(work, list(wanted))
    missing = wanted.keys() - {row["id"] for row in rows}
    if missing:
        raise NotFound(f"there is no version {sorted(missing)[0]}")
    for row in rows:
        why = _unlearnable(row, user_id, agent_id, among)
        if why is not None:
            raise NotLearnable(f"version {row['id']} of cube {row['cube_id']} {why}", version_id=row["id"])
    return rows


def _unlearnable(
    row: RowMapping, user_id: str | None, agent_id: str | None, among: Collection[Lifecycle]
) -> str | None:
    """Why a delta of this owner may not learn a version; None if it may."""
    if row["kind"] == "parameter":
        return "is a delta itself"
    if row["lifecycle"] not in among:
        return f"is {row['lifecycle']}"
    if row["payload_sha256"] is None:
        return "has lost its payload to an erasure"
    if row["visibility"] != "owner":
        return None
    if user_id is not None:
        return None if row["user_id"] in (None, user_id) else "belongs to another user"
    if row["user_id"] is not None:
        return "belongs to a user, and every user of the agent would hear it"
    return None if row["agent_id"] == agent_id else "belongs to another agent"
