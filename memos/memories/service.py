"""Searches memories: brings the indexes that it needs up to date, asks them, and says what was found.

* Before a search one statement tells what changed since each index was last looked at, so whoever wrote something finds
  it, whichever process they wrote to.
* What is the asker's own, what belongs to nobody, and what others lend are three indexes; the last is small and made
  anew whenever it changed.
* For whoever is limited to one user, what was found is looked up once more under their own name: the database's
  policies have the last word.
* Readings are counted after the answer, many in one statement.
"""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import structlog

from memos.generation.port import Embedded, Generator, ModelUnavailable
from memos.kit.actor import TenantView
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.errors import Conflict, Invalid
from memos.memories import store
from memos.memories.following import FEW, NO_MODEL, Following, Key, in_recall, item_of
from memos.memories.past import items_then
from memos.memories.reads import Reads
from memos.memories.sight import OfAll, Own, Viewer
from memos.recall.cache import CacheFigures
from memos.recall.filters import All, Filter
from memos.recall.index import RecallIndex
from memos.recall.items import Item
from memos.recall.query import Asked, Hit
from memos.recall.ranking import LOOKED_AT, WHOLE
from memos.recall.vectors.pgvector import Compared, DatabaseVectors
from memos.recall.vectors.port import Vector
from memos.recall.vectors.registry import IN_PROCESS

LOG = structlog.get_logger(__name__)
MOST_LENT = 10_000
MOST_LENT_INDEXES = 200
MOST_FILTERED = 1_000  # vectors that a database is asked for when most of them may not do
_Early = tuple[str, asyncio.Task[Embedded]]
LARGE = 3_000  # memories from which on a search is worth a thread


class RevisionAhead(Conflict):
    """The memory has no such revision."""

    code = "revision_ahead"
    hint = "Send as min_version the `revision` of an answer about the same owner."


class WrongDimensions(Invalid):
    """The vector is not of the owner's embedding model."""

    code = "wrong_dimensions"
    hint = "Send vectors of the owner's embedding model, or leave `embedding` out: memos makes it."


@dataclass(frozen=True, slots=True)
class Found:
    """`revision` is of the asker's own scope, 0 if they have none. `embedded`: not words alone."""

    hits: list[Hit]
    revision: int
    embedded: bool


@dataclass(frozen=True, slots=True)
class _Place:
    """An index to be asked. `model` is that of its vectors. `scope_id` and its revision, where it is of a scope and of
    now."""

    index: RecallIndex
    model: str
    only: Filter | None
    scope_id: str | None = None
    revision: int = 0


class RecallService:
    """One for a process."""

    def __init__(self, database: Database, generator: Generator, settings: Settings) -> None:
        self._database = database
        self._generator = generator
        in_process = IN_PROCESS[settings.recall_index]
        self._following = Following(database, most_bytes=settings.recall_cache_bytes, vectors=in_process)
        self._elsewhere = DatabaseVectors(database) if settings.recall_index == "pgvector" else None
        self._lent: OrderedDict[tuple[str, Viewer, str], tuple[dict[str, int], RecallIndex]] = OrderedDict()
        self._reads = Reads(database)

    @property
    def figures(self) -> CacheFigures:
        return self._following.cache.figures

    def forget(self) -> None:
        """Drops every index of this process."""
        self._following.cache.forget()
        self._lent.clear()

    async def stop(self) -> None:
        await self._reads.stop()

    async def search(
        self,
        tenant_id: str,
        *,
        user_id: str | None,
        agent_id: str | None,
        asked: Asked,
        min_revision: int | None = None,
        roles: Sequence[str] = (),
        secrets: bool = True,
        as_of: datetime | None = None,
        count: bool = False,
    ) -> Found:
        """As (user, agent) sees it; with neither, the tenant's own. A `tenant_id` that carries a limited actor narrows
        what is found. Without a vector the question is embedded here; `asked.now` 0 is now. `count`: the readings are
        counted, for a caller that does not count them. Raises RevisionAhead, WrongDimensions; with `as_of` what
        `memos.timemachine` raises."""
        viewer = Viewer(user_id, agent_id, tuple(roles), secrets)
        asked = replace(asked, now=asked.now or time.time())
        if as_of is not None:
            early = None
            asked = replace(asked, now=as_of.timestamp())
            places, revision = await self._places_then(tenant_id, viewer, as_of)
            _refuse_ahead(min_revision, revision)
        else:
            early = self._embedded_early(str(tenant_id), viewer, asked)
            try:
                places, revision = await self._places(str(tenant_id), viewer)
                _refuse_ahead(min_revision, revision)
            except BaseException:
                if early is not None:
                    early[1].cancel()
                raise
        vectors, embedded = await self._vectors(places, asked, early)
        hits = [hit for place in places for hit in await self._hits(str(tenant_id), place, asked, vectors)]
        hits = await self._seen(tenant_id, hits)
        best = sorted(hits, key=lambda hit: -hit.score)[: asked.top_k]
        if count:
            self._reads.count(str(tenant_id), [hit.item.cube_id for hit in best])
        return Found([replace(hit, rank=rank) for rank, hit in enumerate(best, 1)], revision, embedded)

    async def _places(self, tenant_id: str, viewer: Viewer) -> tuple[list[_Place], int]:
        """The indexes to ask, up to date, and the revision of the viewer's own."""
        keys = _keys(tenant_id, viewer)
        known = [self._following.known(key) for key in keys]
        rows = await store.look(
            self._database.single(tenant_id),
            [(key[1], key[2], revision) for key, revision in zip(keys, known, strict=True)],
            user_id=viewer.user_id,
            agent_id=viewer.agent_id,
            roles=viewer.roles,
            limit=FEW,
            most_lent=MOST_LENT,
        )
        places: list[_Place] = []
        for number, key in enumerate(keys):
            seen = [row for row in rows if row["place"] == number + 1]
            held = await self._following.current(key, seen, known[number])
            if held is not None:
                only = _only(viewer, own=key[1:] != (None, None)) if held.guarded else None
                places.append(_Place(held.index, held.model, only, held.scope_id, seen[0]["revision"]))
        lent: dict[str, int] = dict(rows[0]["lent"])
        if lent and not viewer.nobody:
            model = places[0].model if places else (await self._model())
            places.append(_Place(await self._lent_index(tenant_id, viewer, lent, model), model, None))
        return places, rows[0]["revision"] or 0

    async def _places_then(self, tenant_id: str, viewer: Viewer, as_of: datetime) -> tuple[list[_Place], int]:
        """Indexes of what was there at a moment: the viewer's own, and what belonged to nobody."""
        keys = _keys(str(tenant_id), viewer)
        rows = await store.scopes(self._database.single(str(tenant_id)), [key[1:] for key in keys])
        places: list[_Place] = []
        for row in rows:
            model = row["embedder"] or NO_MODEL
            items = await items_then(self._database, tenant_id, row["id"], model, as_of)
            only = _only(viewer, own=not viewer.nobody and row["place"] == 1)
            places.append(_Place(await asyncio.to_thread(index_of, items), model, only))
        return places, rows[0]["revision"] if rows and rows[0]["place"] == 1 else 0

    async def _lent_index(self, tenant_id: str, viewer: Viewer, lent: dict[str, int], model: str) -> RecallIndex:
        key = (tenant_id, viewer, model)
        held = self._lent.get(key)
        if held is not None and held[0] == lent:
            self._lent.move_to_end(key)
            return held[1]
        rows = await store.items(self._database.single(tenant_id), list(lent), model)
        index = index_of([item_of(row) for row in rows if in_recall(row)])
        self._lent[key] = (lent, index)
        while len(self._lent) > MOST_LENT_INDEXES:
            self._lent.popitem(last=False)
        return index

    def _embedded_early(self, tenant_id: str, viewer: Viewer, asked: Asked) -> _Early | None:
        """The question's vector by the model that was in use last, begun before it is known what changed: both that
        and the names of speakers hardly ever do."""
        warm = self._following.held(_keys(tenant_id, viewer)[0])
        if warm is None or warm.model == NO_MODEL or asked.vector is not None:
            return None
        begun = asyncio.create_task(self._generator.embed([warm.index.to_embed(asked.text)], warm.model))
        begun.add_done_callback(lambda task: task.cancelled() or task.exception())  # perhaps nobody asks for it
        return warm.model, begun

    async def _vectors(
        self, places: Sequence[_Place], asked: Asked, early: _Early | None
    ) -> tuple[dict[str, Vector], bool]:
        """The question by each model that an index needs; whether there are all of them."""
        models = {place.model: place.index for place in reversed(places) if place.model != NO_MODEL}
        if asked.vector is not None:
            return {model: _fitting(asked.vector, index) for model, index in models.items()}, True
        found: dict[str, Vector] = {}
        for model, index in models.items():
            begun = early[1] if early is not None and early[0] == model else None
            try:
                made = await (begun or self._generator.embed([index.to_embed(asked.text)], model))
                found[model] = made.vectors[0]
            except ModelUnavailable as error:
                LOG.warning("recall.not_embedded", code=error.code)
        if early is not None and early[0] not in models:  # the owner's memories were embedded anew since
            early[1].cancel()
        return found, len(found) == len(models)

    async def _hits(self, tenant_id: str, place: _Place, asked: Asked, vectors: dict[str, Vector]) -> list[Hit]:
        index, vector = place.index, vectors.get(place.model)
        if vector is not None and len(vector) != index.dimensions:
            vector = None
        parts = tuple(part for part in (place.only, asked.filters) if part is not None)
        filters = parts[0] if len(parts) == 1 else All(parts) if parts else None
        wanted = replace(asked, vector=vector, filters=filters)
        nearest = await self._compared(tenant_id, place, wanted)
        if len(index) < LARGE:
            return index.search(wanted, nearest)
        return await asyncio.to_thread(index.search, wanted, nearest)

    async def _compared(self, tenant_id: str, place: _Place, wanted: Asked) -> Compared | None:
        """What the database found, if it is the one that compares vectors. It knows nothing of filters: with one it is
        asked for more."""
        if self._elsewhere is None or place.scope_id is None or wanted.vector is None:
            return None
        size = len(place.index)
        if size > WHOLE:
            also = await asyncio.to_thread(place.index.candidates, wanted, LOOKED_AT)
            most = MOST_FILTERED if wanted.filters is not None else max(LOOKED_AT, 2 * wanted.top_k)
        else:
            also, most = [], 2 * WHOLE  # all of them, those of earlier versions too
        await self._elsewhere.follow(tenant_id, place.scope_id, place.model, place.revision)
        return await self._elsewhere.search(
            tenant_id, place.scope_id, place.model, wanted.vector, most, size=size, also=also
        )

    async def _model(self) -> str:
        try:
            return (await self._generator.embed([])).model
        except ModelUnavailable:
            return NO_MODEL

    async def _seen(self, tenant_id: str, hits: list[Hit]) -> list[Hit]:
        """Of a person, what the database lets them see; at this moment."""
        if not (isinstance(tenant_id, TenantView) and tenant_id.actor.kind == "person") or not hits:
            return hits
        seen = await store.seen(self._database.single(tenant_id), [hit.item.cube_id for hit in hits])
        return [hit for hit in hits if hit.item.cube_id in seen]


def _refuse_ahead(wanted: int | None, revision: int) -> None:
    if wanted is not None and wanted > revision:
        raise RevisionAhead(f"the memory is at revision {revision}, not yet at {wanted}")


def index_of(items: Sequence[Item]) -> RecallIndex:
    """Of some memories, for some questions."""
    size = next((len(item.vector) for item in items if item.vector is not None), 1)
    index = RecallIndex(size)
    index.put(items)
    return index


def _keys(tenant_id: str, viewer: Viewer) -> list[Key]:
    """The viewer's own scope first."""
    whole: Key = (tenant_id, None, None)
    if viewer.nobody:
        return [whole]
    return [(tenant_id, viewer.user_id, None if viewer.user_id is not None else viewer.agent_id), whole]


def _only(viewer: Viewer, *, own: bool) -> Filter:
    return Own(viewer.agent_id, viewer.secrets) if own else OfAll(viewer.nobody, viewer.secrets)


def _fitting(vector: Vector, index: RecallIndex) -> Vector:
    if index.dimensions not in (1, len(vector)):
        raise WrongDimensions(f"the vector has {len(vector)} numbers; those of this owner have {index.dimensions}")
    return vector
