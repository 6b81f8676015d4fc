"""What was known at a moment, for searches `as_of` it: an exact scan of what was alive then, made into an index for one
question. It reads what `memos.timemachine` reads, versions and events, and never a column that changes.
"""

from collections.abc import Sequence
from datetime import datetime

import numpy as np

from memos.cubes.versions import CALLERS_METADATA
from memos.kit.db import Database
from memos.memories import store
from memos.recall.items import Item
from memos.timemachine import service as timemachine
from memos.timemachine.schemas import CubeThen

PAGE = 5_000  # each page looks at all that is before it, where the tables have no statistics yet


async def items_then(database: Database, tenant_id: str, scope_id: str, model: str, as_of: datetime) -> list[Item]:
    """Of one scope, as the actor of `tenant_id` may see it. Raises InTheFuture, NotSettled."""
    items: list[Item] = []
    cursor: str | None = None
    while True:
        page = await timemachine.page_then(
            database, tenant_id, as_of, cursor=cursor, limit=PAGE, scope_id=scope_id, lifecycle="activated"
        )
        then = [cube for cube in page.items if cube.content is not None]
        items += await _items(database, tenant_id, then, model, as_of)
        cursor = page.next_cursor
        if cursor is None:
            return items


async def _items(
    database: Database, tenant_id: str, then: Sequence[CubeThen], model: str, as_of: datetime
) -> list[Item]:
    single = database.single(tenant_id)
    versions = [cube.version.id for cube in then]
    vectors = await store.vectors(single, versions, model)
    replaced = await store.superseded_then(single, [cube.id for cube in then], as_of)
    talks = await store.conversations_of(single, [cube.id for cube in then])
    return [_item(cube, vectors.get(cube.version.id), cube.id in replaced, talks.get(cube.id)) for cube in then]


def _item(cube: CubeThen, vector: bytes | None, superseded: bool, conversation_id: str | None) -> Item:
    version, said = cube.version, cube.version.metadata
    since, until, ends = version.valid_from, version.valid_to, cube.expires_at
    return Item(
        cube_id=cube.id,
        version_id=version.id,
        version=version.number,
        text=cube.content or "",
        at=(cube.created_at if since is None else since).timestamp(),
        created_at=cube.created_at.timestamp(),
        valid_to=None if until is None else until.timestamp(),
        expires_at=None if ends is None else ends.timestamp(),
        speaker=said.get("speaker"),
        role=said.get("role"),
        thread=said.get("thread"),
        semantic_type=cube.semantic_type,
        tags=tuple(cube.tags),
        metadata=said.get(CALLERS_METADATA) or {},
        user_id=cube.user_id,
        agent_id=cube.agent_id,
        conversation_id=conversation_id,
        visibility=cube.visibility,
        sensitivity=cube.sensitivity,
        superseded=superseded,
        vector=None if vector is None else np.frombuffer(vector, "<f4").astype(np.float32, copy=False),
    )
