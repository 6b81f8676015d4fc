"""Carries one step out, in one transaction: all of it, or none. Before anything is written the cubes are locked and
looked at again: whoever moved a head, froze a cube or took it out of recall since the plan has the last word, and the
step is skipped. What a step makes is checked against what it is made from, here, and not where it was planned.

What each kind does:

* merge: a new cube that says what all of them said (checked sentence by sentence); the sources become `merged`.
* supersede: the older one gets a version that says until when it held, an edge from the newer one, and goes to the
  archive: recall is of what holds now, and history keeps the rest. Activating it again takes that back.
* fold: new cubes with the facts that the generator found, each of which an episode must literally say; the episodes
  stay as they are, since what was said is more than its facts.
* propose: a row for somebody to decide about.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import RowMapping

from memos.consolidation import store
from memos.consolidation.texts import covers, says, together
from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.versions import text_payload
from memos.kit.errors import NotFound
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork

FACT = "fact"
MOST_TAGS = 50


@dataclass(frozen=True, slots=True)
class Source:
    """A cube of the step, locked, with its head."""

    cube: RowMapping
    head: RowMapping

    @property
    def since(self) -> datetime:
        since: datetime = self.head["valid_from"] or self.head["created_at"]
        return since


@dataclass(frozen=True, slots=True)
class Done:
    reason: str
    made: Sequence[str] = ()


class Refused(Exception):
    """The step would not be right, and nothing of it is done."""


Carry = Callable[[UnitOfWork, RowMapping, RowMapping, Sequence[Source], Sequence[str]], Awaitable[Done]]
STEPS: dict[str, Carry] = {}


def register(kind: str) -> Callable[[Carry], Carry]:
    def add(made: Carry) -> Carry:
        STEPS[kind] = made
        return made

    return add


async def carry_out(work: UnitOfWork, run: RowMapping, step: RowMapping, facts: Sequence[str]) -> Done:
    """`facts` are what the generator made of a step that folds. Raises Refused, and then nothing of it is kept."""
    sources = await _locked(work, step)
    return await STEPS[step["kind"]](work, run, step, sources, facts)


async def _locked(work: UnitOfWork, step: RowMapping) -> list[Source]:
    """The cubes in the order of the step, locked in the order of their ids."""
    try:
        rows = {cube_id: await changes.lock(work, cube_id) for cube_id in sorted(step["cube_ids"])}
    except NotFound as error:
        raise Refused("one of them was erased meanwhile") from error
    sources: list[Source] = []
    for cube_id, version_id in zip(step["cube_ids"], step["version_ids"], strict=True):
        cube = rows[cube_id]
        if cube["frozen"]:
            raise Refused(f"{cube_id} was frozen meanwhile")
        if cube["lifecycle"] != "activated":
            raise Refused(f"{cube_id} is {cube['lifecycle']} now")
        if cube["head_version_id"] != version_id:
            raise Refused(f"{cube_id} was changed meanwhile")
        sources.append(Source(cube, await cubes.version_by_id(work, version_id)))
    return sources


@register("merge")
async def _merge(
    work: UnitOfWork, run: RowMapping, step: RowMapping, sources: Sequence[Source], facts: Sequence[str]
) -> Done:
    texts = [source.head["content"] for source in sources]
    text = together(texts)
    if not all(covers(text, source) for source in texts):
        raise Refused("the merged text would not say what one of them says")
    made = await changes.create(work, _new(run, sources, text, operation="merge", relation="merges"))
    details = {"run_id": run["id"], "into": [made["id"]]}
    for source in sources:
        await changes.transition(work, source.cube, "merged", reason=step["reason"], by=_by(run), details=details)
    return Done(f"{len(sources)} became one", (made["id"],))


@register("supersede")
async def _supersede(
    work: UnitOfWork, run: RowMapping, step: RowMapping, sources: Sequence[Source], facts: Sequence[str]
) -> Done:
    newer, older = sources
    if not older.since < newer.since:
        raise Refused("neither is the later one")
    closed = await changes.append(
        work,
        older.cube,
        operation="revise",
        payload=text_payload(older.head["content"]),
        by=_by(run),
        metadata=older.head["metadata"],
        valid_from=older.head["valid_from"],
        valid_to=newer.since,
    )
    cubes.insert_edge(work, child_id=newer.head["id"], parent_id=closed["id"], relation="supersedes")
    details = {"run_id": run["id"], "superseded_by": newer.cube["id"]}
    cube = await changes.lock(work, older.cube["id"])
    await changes.transition(work, cube, "archived", reason=step["reason"], by=_by(run), details=details)
    return Done("the older one holds until the newer one begins, and is archived")


@register("fold")
async def _fold(
    work: UnitOfWork, run: RowMapping, step: RowMapping, sources: Sequence[Source], facts: Sequence[str]
) -> Done:
    if not facts:
        raise Refused("the generator found no fact in them")
    made: list[str] = []
    for fact in facts:
        said_in = [source for source in sources if says(source.head["content"], fact)]
        if not said_in:
            raise Refused("the generator's facts are not all in what the episodes say")
        new = _new(run, said_in, fact, operation="distil", relation="distils", semantic_type=FACT)
        made.append((await changes.create(work, new))["id"])
    return Done(f"{len(made)} facts; the episodes stay as they are", made)


@register("propose")
async def _propose(
    work: UnitOfWork, run: RowMapping, step: RowMapping, sources: Sequence[Source], facts: Sequence[str]
) -> Done:
    (source,) = sources
    await store.propose(
        work,
        id=new_id("prop"),
        run_id=run["id"],
        cube_id=source.cube["id"],
        version_id=source.head["id"],
        user_id=run["user_id"],
        reason=step["reason"],
    )
    return Done("proposed")


def _by(run: RowMapping) -> str:
    return f"consolidation:{run['id']}"


def _new(run: RowMapping, sources: Sequence[Source], text: str, **own: Any) -> changes.NewCube:
    """A cube of several that are alike in who owns and sees them: it lasts, and holds, as long as the longest."""
    held = [source.cube for source in sources]
    first, ends = held[0], [cube["expires_at"] for cube in held]
    until = [source.head["valid_to"] for source in sources]
    tags = dict.fromkeys(tag for cube in held for tag in cube["tags"])
    relation = own.pop("relation")
    fields: dict[str, Any] = {"semantic_type": first["semantic_type"]} | own
    return changes.NewCube(
        kind="plaintext",
        payload=text_payload(text),
        created_by=_by(run),
        user_id=first["user_id"],
        agent_id=first["agent_id"],
        parents=[(source.head["id"], relation) for source in sources],
        origin="consolidation" if fields["operation"] == "distil" else first["origin"],
        visibility=first["visibility"],
        sensitivity=first["sensitivity"],
        priority=max(cube["priority"] for cube in held),
        tags=list(tags)[:MOST_TAGS],
        expires_at=None if None in ends else max(ends),
        valid_from=min(source.since for source in sources),
        valid_to=None if None in until else max(until),
        reason=fields["operation"],
        details={"run_id": run["id"], "from": [cube["id"] for cube in held]},
        **fields,
    )
