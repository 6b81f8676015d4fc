"""Indexes that follow the database: each scope's is brought up to date before every search, by one statement's answer.

* An index knows the revision it holds. Rows stamped with a larger one are read and put in or taken out; nothing else
  tells an index what changed, and a notification would only be early.
* A cold index is read page by page in the order of revisions: what changes meanwhile comes at the end.
* Indexes hold every memory of their scope, whoever asks: they are read as the service. Who may find what is decided by
  `memos.memories.sight`, for each search.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import numpy as np
from sqlalchemy import RowMapping

from memos.cubes.versions import CALLERS_METADATA
from memos.kit.db import Database
from memos.memories import store
from memos.recall.cache import IndexCache
from memos.recall.index import RecallIndex
from memos.recall.items import Item
from memos.recall.vectors.registry import build_index

PAGE = 2_000
FEW = 200  # rows that the first look may bring along
COLD = 2**62  # a revision that nothing has: brings no rows
NO_MODEL = ""
LAST = "d"  # after every cube's id
Key = tuple[str, str | None, str | None]  # tenant, user, agent


@dataclass(slots=True)
class Followed:
    """The index of one owner's scope, with what it holds. `model`: of its vectors, "" for none. `guarded`: memories
    that not everybody who searches the scope may find."""

    scope_id: str
    model: str
    index: RecallIndex
    guarded: set[str] = field(default_factory=set)

    @property
    def size_bytes(self) -> int:
        return self.index.size_bytes

    def take(self, rows: Sequence[RowMapping]) -> None:
        """Puts in what lives and takes out what does not. Blocks for as long as indexing takes."""
        living, gone = [], []
        for row in rows:
            if not in_recall(row):
                gone.append(row["cube_id"])
                continue
            item = item_of(row)
            living.append(item)
            open_to_all = item.agent_id is None and item.sensitivity != "secret" and item.visibility != "shared"
            (self.guarded.discard if open_to_all else self.guarded.add)(item.cube_id)
        if living:
            self.index.put(living)
        if gone:
            self.index.remove(gone)
            self.guarded.difference_update(gone)


def in_recall(row: RowMapping) -> bool:
    """What lives; and, for whoever asks for the past, what was put away for something that lives and replaces it."""
    if row["held"] or row["content"] is None:
        return False
    return row["lifecycle"] == "activated" or bool(row["lifecycle"] == "archived" and row["superseded"])


def item_of(row: RowMapping) -> Item:
    said: dict[str, Any] = row["metadata"]
    created_at = row["begun_at"].timestamp()
    since: datetime | None = row["valid_from"]
    vector = row["vector"]
    return Item(
        cube_id=row["cube_id"],
        version_id=row["version_id"],
        version=row["version"],
        text=row["content"],
        at=created_at if since is None else since.timestamp(),
        created_at=created_at,
        valid_to=_seconds(row["valid_to"]),
        expires_at=_seconds(row["expires_at"]),
        speaker=said.get("speaker"),
        role=said.get("role"),
        thread=said.get("thread"),
        semantic_type=row["semantic_type"],
        tags=tuple(row["tags"]),
        metadata=said.get(CALLERS_METADATA) or {},
        user_id=row["user_id"],
        agent_id=row["agent_id"],
        conversation_id=row["conversation_id"],
        visibility=row["visibility"],
        sensitivity=row["sensitivity"],
        superseded=row["superseded"],
        vector=None if vector is None else np.frombuffer(vector, "<f4").astype(np.float32, copy=False),
    )


def _seconds(moment: datetime | None) -> float | None:
    return None if moment is None else moment.timestamp()


class Following:
    """The indexes of this process, by owner. `vectors` names the kind of their index of vectors."""

    def __init__(self, database: Database, *, most_bytes: int, vectors: str = "hnsw") -> None:
        self._database = database
        self._vectors = vectors
        self.cache: IndexCache[Followed] = IndexCache(most_bytes)

    def held(self, key: Key) -> Followed | None:
        """As it is, perhaps behind."""
        entry = self.cache.held(key)
        return None if entry is None else entry.index

    def known(self, key: Key) -> int:
        entry = self.cache.held(key)
        return COLD if entry is None else entry.revision

    async def current(self, key: Key, seen: Sequence[RowMapping], known: int) -> Followed | None:
        """The owner's index as new as the rows `seen`, which were looked for beyond the revision `known`. None: the
        owner has no scope yet."""
        first = seen[0]
        scope_id, model, revision = first["scope_id"], first["embedder"] or NO_MODEL, first["revision"]
        if scope_id is None:
            return None

        async def build() -> tuple[Followed, int]:
            return await self._built(key[0], scope_id, model)

        while True:
            entry = await self.cache.get(key, build)
            async with entry.lock:
                held = entry.index
                if held.scope_id != scope_id or held.model != model:
                    self.cache.drop(key)
                    continue
                if entry.revision >= revision:
                    return held
                rows = [row for row in seen if row["cube_id"] is not None]
                if entry.revision < known or len(rows) >= FEW:
                    rows, revision = await self._beyond(key[0], held, entry.revision)
                if _outgrown(held, rows):
                    self.cache.drop(key)
                    continue
                await _take(held, rows)
                entry.revision = revision
                self.cache.recount(entry)
                return held

    async def _built(self, tenant_id: str, scope_id: str, model: str) -> tuple[Followed, int]:
        single = self._database.single(tenant_id)
        until = await store.revision(single, scope_id)
        size = await store.dimensions(single, scope_id, model) or 1
        held = Followed(scope_id, model, RecallIndex(size, build_index(self._vectors, size)))
        async for rows in self._pages(tenant_id, scope_id, model, -1):
            await _take(held, rows)
        return held, until

    async def _beyond(self, tenant_id: str, held: Followed, revision: int) -> tuple[list[RowMapping], int]:
        """All that changed after a revision, and the revision that is reached with it."""
        single = self._database.single(tenant_id)
        until = await store.revision(single, held.scope_id)
        found = list(await store.late_vectors(single, scope_id=held.scope_id, model=held.model, revision=revision))
        async for rows in self._pages(tenant_id, held.scope_id, held.model, revision):
            found.extend(rows)
        return found, until

    async def _pages(
        self, tenant_id: str, scope_id: str, model: str, revision: int
    ) -> AsyncGenerator[Sequence[RowMapping], None]:
        """In the order in which they changed, so that what changes meanwhile comes at the end."""
        after = LAST
        while True:
            rows = await store.changed_cubes(
                self._database.single(tenant_id),
                scope_id=scope_id,
                model=model,
                revision=revision,
                after=after,
                limit=PAGE,
            )
            if rows:
                yield rows
                revision, after = rows[-1]["recall_revision"], rows[-1]["cube_id"]
            if len(rows) < PAGE:
                return


def _outgrown(held: Followed, rows: Sequence[RowMapping]) -> bool:
    """The first vectors of an index that began without."""
    size = next((len(row["vector"]) // 4 for row in rows if row["vector"] is not None), held.index.dimensions)
    return size != held.index.dimensions


async def _take(held: Followed, rows: Sequence[RowMapping]) -> None:
    if len(rows) > FEW:
        await asyncio.to_thread(held.take, rows)
    else:
        held.take(rows)
