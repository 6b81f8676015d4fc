"""A search over REST: what was asked, as the index takes it, and what it found, as callers get it."""

from datetime import UTC, datetime

from memos.kernel.access import Actor
from memos.memories.drafts import unit_vector
from memos.memories.schemas import FoundMemories, FoundMemory, MemorySearch, MemorySource
from memos.memories.service import RecallService
from memos.memories.sight import viewer_of
from memos.recall.filters import parse
from memos.recall.items import Item
from memos.recall.query import Asked, Hit


async def search(recall: RecallService, tenant_id: str, actor: Actor, wanted: MemorySearch) -> FoundMemories:
    """Raises BadFilter, NotYours, and what `RecallService.search` raises."""
    viewer = viewer_of(actor, wanted.user_id, wanted.agent_id)
    asked = Asked(
        text=wanted.query,
        vector=unit_vector(wanted.embedding),
        top_k=wanted.top_k,
        threshold=wanted.threshold,
        filters=None if wanted.filters is None else parse(wanted.filters),
        history=wanted.history,
        explain=wanted.explain,
    )
    found = await recall.search(
        tenant_id,
        user_id=viewer.user_id,
        agent_id=viewer.agent_id,
        roles=viewer.roles,
        secrets=viewer.secrets,
        asked=asked,
        min_revision=wanted.min_version,
        as_of=wanted.as_of,
        count=True,
    )
    results = [_found(hit, explain=wanted.explain) for hit in found.hits]
    return FoundMemories(results=results, revision=found.revision, embedded=found.embedded)


def _found(hit: Hit, *, explain: bool) -> FoundMemory:
    item = hit.item
    return FoundMemory(
        id=item.cube_id,
        text=item.text,
        score=round(hit.score, 6),
        version=item.version,
        created_at=_moment(item.created_at),
        valid_from=None if item.at == item.created_at else _moment(item.at),
        valid_to=None if item.valid_to is None else _moment(item.valid_to),
        user_id=item.user_id,
        agent_id=item.agent_id,
        semantic_type=item.semantic_type,
        tags=list(item.tags),
        metadata=dict(item.metadata),
        superseded=item.superseded,
        source=source(item),
        signals=dict(hit.signals) if explain else None,
    )


def source(item: Item) -> MemorySource:
    return MemorySource(speaker=item.speaker, role=item.role, thread=item.thread, conversation_id=item.conversation_id)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
