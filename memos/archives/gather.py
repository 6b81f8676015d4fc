"""Gathers what goes into an archive: which conversations and cubes belong to what was asked for, and their rows, all of
one moment. Erased words are in no row any more; a tombstone goes along, so that the chain it stands in can be checked.
"""

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import RowMapping

from memos.archives import store
from memos.archives.format import Tables
from memos.archives.rows import TABLES, Row, Subject
from memos.archives.schemas import ExportConversation, ExportRequest, ExportUser
from memos.conversations.errors import UnderErasure
from memos.cubes.versions import PayloadThinned, blob_key
from memos.kit.errors import NotFound
from memos.kit.unit_of_work import UnitOfWork


@dataclass(slots=True)
class Gathered:
    """`payloads`: for each hash its size, the object that holds it, and a version that names it."""

    subject: Subject
    tables: Tables
    payloads: dict[str, tuple[int, str, str]] = field(default_factory=dict)


async def gather(work: UnitOfWork, wanted: ExportRequest) -> Gathered:
    """Raises NotFound, PayloadThinned, or UnderErasure while something of it is being erased."""
    subject, conversation_ids, cube_ids = await _chosen(work, wanted)
    conversations, cubes = await store.hold(work, conversation_ids, cube_ids)
    if any(row["erasing_by"] for row in conversations):
        raise UnderErasure
    versions = await store.versions(work, cube_ids)
    found: dict[str, Any] = {
        "conversations.jsonl": conversations,
        "turns.jsonl": await store.turns(work, conversation_ids),
        "cubes.jsonl": cubes,
        "versions.jsonl": versions,
        "edges.jsonl": await store.edges(work, cube_ids),
        "reads.jsonl": await store.reads(work, conversation_ids, cube_ids),
        "events.jsonl": await store.events(work, cube_ids),
    }
    gathered = Gathered(subject, {name: [_row(made, row) for row in found[name]] for name, made in TABLES.items()})
    if thinned := [version["id"] for version in versions if version["thinned"]]:
        raise PayloadThinned(thinned)
    for version in versions:
        if version["payload"] == "blob":
            held = (version["size_bytes"], blob_key(version["blob_id"]), version["id"])
            gathered.payloads.setdefault(version["payload_sha256"], held)
    return gathered


async def _chosen(work: UnitOfWork, wanted: ExportRequest) -> tuple[Subject, list[str], list[str]]:
    """What was asked for, its conversations, and its cubes with the states of those conversations."""
    if isinstance(wanted, ExportUser):
        subject = Subject(kind="user", ids=[wanted.user_id])
        cubes = await store.cubes_of_user(work, wanted.user_id)
        conversations = await store.conversations_of_user(work, wanted.user_id)
    elif isinstance(wanted, ExportConversation):
        subject = Subject(kind="conversation", ids=[wanted.conversation_id])
        conversations = [wanted.conversation_id]
        cubes = await store.episodes_of(work, await store.with_parents(work, conversations))
    else:
        subject = Subject(kind="cubes", ids=sorted(set(wanted.cube_ids)))
        cubes = await store.cubes_by_id(work, subject.ids)
        missing = set(subject.ids) - {row["id"] for row in cubes}
        if missing:
            raise NotFound(f"there is no cube {min(missing)}")
        conversations = []
    conversations = [*conversations, *(row["conversation_id"] for row in cubes if row["conversation_id"])]
    states = await store.states(work, await store.with_parents(work, conversations))
    chosen = sorted({row["id"] for row in cubes}.union(states.values()))
    if not chosen:
        raise NotFound(f"there is nothing of {subject.kind} {', '.join(subject.ids)}")
    return subject, sorted(states), chosen


def _row(made: type[Row], row: RowMapping) -> Row:
    return made.model_validate({name: row[name] for name in made.model_fields})
