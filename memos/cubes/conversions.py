"""From one kind of cube to another: a registry by (from, to). The source is kept and lineage leads back to it.

    plaintext -> activation    a state that has taken the text in, made from the model's start state by a job
    activation -> plaintext    the words of the turns that the state has taken in: a transcript, no reading of the state
    parameter -> plaintext     the texts that it was distilled from
    plaintext, activation -> parameter   a training run, which makes the cube when it ends

To *promote* is to convert toward the faster kind, plaintext -> activation -> parameter; to *demote* is to convert back
to plaintext. Both archive the source once what replaces it is there: it is out of use and can be activated again.
"""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import RowMapping

from memos.cubes import changes, store
from memos.cubes.changes import CubeFrozen, Kind, NewCube, NotLive, Parents
from memos.cubes.life import inherited
from memos.cubes.pieces import pieces_of
from memos.cubes.schemas import Conversion, ConvertRequest
from memos.cubes.service import cube_view
from memos.cubes.versions import Payload, text_payload
from memos.deltas import service as deltas
from memos.generation.port import ModelIdentity
from memos.kernel.lifecycle import legal_from, may_become
from memos.kit.errors import Conflict, TooLarge
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store as outbox
from memos.turns import store as turns

CONVERT = "convert"  # the task that makes a state from a text
MOST_TURNS = 5_000  # of a transcript
MOST_CHARS = 4_000_000
PROMOTED: dict[Kind, Kind] = {"plaintext": "activation", "activation": "parameter"}
DEMOTED: dict[Kind, Kind] = {"parameter": "plaintext", "activation": "plaintext"}
Direction = Literal["promote", "demote"]


class NoSuchConversion(Conflict):
    """A cube of this kind does not become one of that."""

    code = "no_such_conversion"
    hint = "Choose one of the kinds that `context.to` names."


class NobodysDelta(Conflict):
    """Parameters are a user's or an agent's, and this cube is nobody's."""

    code = "nobodys_delta"
    hint = "Train them with POST /v1/deltas, which says whose they are to be."


class AlreadyTraining(Conflict):
    """A run that was not asked to archive this cube is learning it."""

    code = "already_training"
    hint = "Wait until the run that `context.run_id` names is done, then promote again."


class NothingToConvert(Conflict):
    """The cube holds nothing that could be converted."""

    code = "nothing_to_convert"
    hint = "Convert a state that has taken turns in, or a cube whose texts are not erased."


@dataclass(frozen=True, slots=True)
class Wanted:
    """One conversion asked for: the locked source and its head, who asks, the model that serves, and whether the source
    is archived when the new cube is there."""

    cube: RowMapping
    head: RowMapping
    model: ModelIdentity
    by: str
    reason: str
    archive: bool

    def new(self, **columns: Any) -> NewCube:
        """A cube made by it, with what the source hands on."""
        common = {"created_by": self.by, "origin": "conversion", "operation": "convert", "reason": self.reason}
        details = {"from": [self.cube["id"]]}
        return NewCube(**(inherited(self.cube) | common | {"details": details} | columns))


Converter = Callable[[UnitOfWork, Wanted], Awaitable[Conversion]]
CONVERSIONS: dict[tuple[Kind, Kind], Converter] = {}


def register(source: Kind, to: Kind) -> Callable[[Converter], Converter]:
    def register_one(converter: Converter) -> Converter:
        CONVERSIONS[(source, to)] = converter
        return converter

    return register_one


async def convert(
    work: UnitOfWork, cube_id: str, wanted: ConvertRequest, *, model: ModelIdentity, by: str
) -> Conversion:
    """A new cube of another kind; this one stays as it is. Raises NoSuchConversion, NotLive, NothingToConvert,
    TooLarge, NobodysDelta, or what the training refuses."""
    cube = await changes.lock(work, cube_id)
    return await _convert(work, cube, wanted.to, model=model, by=by, reason="convert", archive=False)


async def move(
    work: UnitOfWork, cube_id: str, direction: Direction, *, reason: str, model: ModelIdentity, by: str
) -> Conversion:
    """Promotes or demotes: a conversion that archives its source. Raises what `convert` does, CubeFrozen and
    AlreadyTraining."""
    cube = await changes.lock(work, cube_id)
    to = (PROMOTED if direction == "promote" else DEMOTED).get(cube["kind"])
    if to is None:
        raise NoSuchConversion(f"a {cube['kind']} cube is as far as {direction} goes", to=_kinds_from(cube["kind"]))
    if cube["frozen"]:
        raise CubeFrozen(f"cube {cube_id} is frozen and cannot be archived")
    return await _convert(work, cube, to, model=model, by=by, reason=f"{direction}: {reason}", archive=True)


async def _convert(
    work: UnitOfWork, cube: RowMapping, to: Kind, *, model: ModelIdentity, by: str, reason: str, archive: bool
) -> Conversion:
    converter = CONVERSIONS.get((cube["kind"], to))
    if converter is None:
        raise NoSuchConversion(f"a {cube['kind']} cube does not become {to}", to=_kinds_from(cube["kind"]))
    if cube["lifecycle"] not in ("activated", "archived"):
        legal = sorted(legal_from(cube["lifecycle"], frozen=False))
        raise NotLive(f"cube {cube['id']} is {cube['lifecycle']}", legal=legal)
    head = await store.version_by_id(work, cube["head_version_id"])
    return await converter(work, Wanted(cube, head, model, by, reason, archive))


def _kinds_from(kind: Kind) -> list[str]:
    return sorted(to for source, to in CONVERSIONS if source == kind)


async def retire(work: UnitOfWork, cube_id: str, *, into: str, reason: str, by: str) -> None:
    """Archives a source whose replacement is there; leaves one that has become something else meanwhile."""
    cube = await changes.lock(work, cube_id)
    if may_become(cube["lifecycle"], "archived", frozen=cube["frozen"]):
        await changes.transition(work, cube, "archived", reason=reason, by=by, details={"into": [into]})


@register("plaintext", "activation")
async def _to_state(work: UnitOfWork, wanted: Wanted) -> Conversion:
    """The cube is there at once, `generated`, at the model's start state; a job takes the text in piece by piece."""
    pieces = pieces_of(wanted.head["content"] or "")
    if not pieces:
        raise NothingToConvert
    model = wanted.model
    making = {"from": "plaintext", "taken": 0, "pieces": len(pieces), "archive": wanted.archive}
    new = wanted.new(
        kind="activation",
        payload=Payload("start", model.start_sha256, model.start_bytes),
        fingerprint=model.fingerprint,
        parents=[(wanted.head["id"], "converts")],
        metadata={"model": model.details, "conversion": making},
        activate=False,
    )
    made = await changes.create(work, new)
    await outbox.record(work, task=CONVERT, subject=made["id"], turn_id=None)
    job_id = await store.job_of(work, task=CONVERT, subject=made["id"])
    return Conversion(source=cube_view(wanted.cube), cube=cube_view(made), status="queued", job_id=job_id)


@register("activation", "plaintext")
async def _to_transcript(work: UnitOfWork, wanted: Wanted) -> Conversion:
    text, parents = await transcript(work, wanted.head)
    what = "the words of the turns that the state has taken in, in order; nothing is read out of the state itself"
    return await _text(work, wanted, text, [(wanted.head["id"], "converts"), *parents], what)


@register("parameter", "plaintext")
async def _to_lessons(work: UnitOfWork, wanted: Wanted) -> Conversion:
    lessons = await store.parents(work, [wanted.head["id"]], ["distils"])
    texts, parents = [], [(wanted.head["id"], "converts")]
    for lesson in lessons:
        if lesson["kind"] == "activation":
            text, _ = await transcript(work, lesson)
        else:
            text = lesson["content"] or ""
        if text:
            texts.append(text)
            parents.append((lesson["id"], "recalls"))
    what = "the texts that the parameters were distilled from; nothing is read out of the parameters themselves"
    return await _text(work, wanted, "\n".join(texts), parents, what)


@register("plaintext", "parameter")
@register("activation", "parameter")
async def _to_parameters(work: UnitOfWork, wanted: Wanted) -> Conversion:
    """A training run, whose delta takes the cube's place if it is to be archived. What was learned already is not
    learned again."""
    cube = wanted.cube
    changes.refuse_unchangeable(cube)
    if cube["user_id"] is None and cube["agent_id"] is None:
        raise NobodysDelta(f"cube {cube['id']} belongs to no user and no agent")
    run = await deltas.request(
        work,
        version_ids=[wanted.head["id"]],
        user_id=cube["user_id"],
        agent_id=cube["agent_id"] if cube["user_id"] is None else None,
        by=wanted.by,
        reason=wanted.reason,
        replaces=cube["id"] if wanted.archive else None,
    )
    if wanted.archive and run.status != "done" and run.replaces != cube["id"]:
        raise AlreadyTraining(f"run {run.id} is learning cube {cube['id']}", run_id=run.id)
    if wanted.archive and run.cube_id is not None:
        delta = await changes.lock(work, run.cube_id)
        if delta["lifecycle"] != "activated":  # learned before and put away since: it is to be of use again
            await changes.transition(work, delta, "activated", reason=wanted.reason, by=wanted.by)
        await retire(work, cube["id"], into=run.cube_id, reason=wanted.reason, by=wanted.by)
    made = None if run.cube_id is None else cube_view(await changes.lock(work, run.cube_id))
    source = cube_view(await changes.lock(work, cube["id"]))
    return Conversion(source=source, cube=made, status="queued" if made is None else "done", run_id=run.id)


async def _text(work: UnitOfWork, wanted: Wanted, text: str, parents: Parents, what: str) -> Conversion:
    if not text:
        raise NothingToConvert
    if len(text) > MOST_CHARS:
        raise TooLarge(f"the text would have {len(text)} characters; {MOST_CHARS} is the most")
    making = {"from": wanted.cube["kind"], "what": what}
    new = wanted.new(
        kind="plaintext", payload=text_payload(text), parents=parents, metadata={"conversion": making},
        semantic_type=wanted.cube["semantic_type"] or "episode",
    )  # fmt: skip
    made = await changes.create(work, new)
    if wanted.archive:
        await retire(work, wanted.cube["id"], into=made["id"], reason=wanted.reason, by=wanted.by)
    source = await changes.lock(work, wanted.cube["id"])
    return Conversion(source=cube_view(source), cube=cube_view(made), status="done")


async def transcript(work: UnitOfWork, head: RowMapping) -> tuple[str, Parents]:
    """What a state has taken in, in words, oldest first; and the versions that took it in."""
    line = (await store.line(work, head["id"]))[::-1]
    took = [row for row in line if row["operation"] == "advance" and row["turn_id"] is not None]
    if len(took) > MOST_TURNS:
        raise TooLarge(f"the state has taken in {len(took)} turns; {MOST_TURNS} is the most of a transcript")
    said = {row["id"]: row for row in await turns.get_many(work, [row["turn_id"] for row in took])}
    texts = await _texts_taken_in(work, line)
    parts: list[str] = []
    for row in line:
        turn = said.get(row["turn_id"])
        if row["id"] in texts:
            parts.append(texts[row["id"]])
        elif turn is not None and row["operation"] == "advance" and turn["input"]:
            parts.append(f"User: {turn['input']}\nAssistant: {turn['output'] or ''}")
    return "\n".join(parts), [(row["id"], "recalls") for row in took if row["id"] != head["id"]]


async def _texts_taken_in(work: UnitOfWork, line: Sequence[RowMapping]) -> dict[str, str]:
    """The texts that a state in this line was converted from, by the version that began with them."""
    began = [row["id"] for row in line if row["operation"] == "convert"]
    found: dict[str, str] = {}
    for version_id in began:
        for source in await store.parents(work, [version_id], ["converts"]):
            if source["kind"] == "plaintext" and source["content"]:
                found[version_id] = source["content"]
    return found
