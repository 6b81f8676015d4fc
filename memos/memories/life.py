"""The life of one memory as applications lead it: read, listed, changed, put away; and what it said before."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping

from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.life import BackToFront, Ownerless, WrongKind, unique
from memos.cubes.versions import CALLERS_METADATA, text_payload
from memos.kit.errors import NotFound, TooLarge
from memos.kit.unit_of_work import UnitOfWork
from memos.memories import store
from memos.memories.schemas import BatchStatus, Memory, MemorySource, MemoryUpdate, MemoryVersion

ATTRIBUTES = cubes.ATTRIBUTES
REVISING = frozenset({"text", "metadata", "valid_from", "valid_to"})  # what a new version says
REASON = "asked for"


async def get(work: UnitOfWork, cube_id: str) -> Memory:
    row = await store.get(work, cube_id)
    if row is None:
        raise NotFound(f"there is no memory {cube_id}")
    return memory_view(row)


def memory_view(row: RowMapping) -> Memory:
    said: dict[str, Any] = row["metadata"]
    taken = Memory.model_fields.keys() - {"metadata", "source"}
    return Memory(
        **{name: row[name] for name in taken},
        metadata=said.get(CALLERS_METADATA) or {},
        source=source_of(said, row["conversation_id"]),
    )


def source_of(said: dict[str, Any], conversation_id: str | None) -> MemorySource:
    return MemorySource(
        speaker=said.get("speaker"),
        role=said.get("role"),
        thread=said.get("thread"),
        conversation_id=conversation_id,
    )


def version_view(row: RowMapping) -> MemoryVersion:
    taken = MemoryVersion.model_fields.keys() - {"metadata"}
    return MemoryVersion(**{name: row[name] for name in taken}, metadata=row["metadata"].get(CALLERS_METADATA) or {})


async def history(work: UnitOfWork, cube_id: str, *, before: int | None, limit: int) -> Sequence[RowMapping]:
    """Its versions, newest first."""
    await get(work, cube_id)
    return await store.versions(work, cube_id=cube_id, before=before, limit=limit)


async def update(
    work: UnitOfWork, cube_id: str, wanted: MemoryUpdate, *, expected: int | None, by: str, most_chars: int
) -> Memory:
    """What was sent is changed: text, metadata and world time by a new version, the rest in place. Raises TooLarge,
    NotFound, WrongKind, HeadMoved, CubeFrozen, NotLive, Ownerless, BackToFront."""
    if len(wanted.text) > most_chars:
        raise TooLarge(f"the text has {len(wanted.text)} characters; {most_chars} is the most")
    cube = await changes.lock(work, cube_id)
    if cube["kind"] != "plaintext":
        raise WrongKind(f"cube {cube_id} is {cube['kind']}")
    if expected is not None and expected != cube["head_version"]:
        raise changes.HeadMoved(f"memory {cube_id} is at version {cube['head_version']}, not {expected}")
    sent = wanted.model_fields_set
    changed = {name: getattr(wanted, name) for name in sent & ATTRIBUTES}
    if "tags" in changed:
        changed["tags"] = unique(changed["tags"])
    if changed.get("visibility") == "owner" and cube["user_id"] is None and cube["agent_id"] is None:
        raise Ownerless
    if changed:
        await changes.set_attributes(work, cube, changed, reason=REASON, by=by)
    if sent & REVISING:
        await _revise(work, cube, wanted, by)
    return await get(work, cube_id)


async def _revise(work: UnitOfWork, cube: RowMapping, wanted: MemoryUpdate, by: str) -> None:
    head = await cubes.version_by_id(work, cube["head_version_id"])
    sent = wanted.model_fields_set
    since = wanted.valid_from if "valid_from" in sent else head["valid_from"]
    until = wanted.valid_to if "valid_to" in sent else head["valid_to"]
    if since is not None and until is not None and until < since:
        raise BackToFront
    said = dict(head["metadata"])
    if "metadata" in sent:
        said.pop(CALLERS_METADATA, None)
        said |= {CALLERS_METADATA: wanted.metadata} if wanted.metadata else {}
    await changes.append(
        work,
        cube,
        operation="revise",
        payload=text_payload(wanted.text if "text" in sent else head["content"]),
        by=by,
        metadata=said,
        valid_from=since,
        valid_to=until,
    )


async def put_away(work: UnitOfWork, cube_id: str, *, by: str) -> Memory:
    """Archives it; one that is put away already stays as it is. Raises NotFound, WrongKind, IllegalTransition."""
    cube = await changes.lock(work, cube_id)
    if cube["kind"] != "plaintext":
        raise WrongKind(f"cube {cube_id} is {cube['kind']}")
    if cube["lifecycle"] != "archived":
        await changes.transition(work, cube, "archived", reason="deleted", by=by)
    return await get(work, cube_id)


async def batch(work: UnitOfWork, batch_id: str, task: str) -> BatchStatus:
    row = await store.batch(work, batch_id, task)
    if row is None:
        raise NotFound(f"there is no batch {batch_id}")
    status = "done" if row["done"] >= row["total"] or row["job"] is None else row["job"]
    return BatchStatus(
        id=batch_id,
        status=status,
        total=row["total"],
        done=row["done"],
        duplicates=row["duplicates"],
        error=row["error"] if status == "failed" else None,
        created_at=row["created_at"],
    )
