"""The calls of erasures, as values, and bound to a client; as `_calls` and `_resources`."""

from collections.abc import Mapping
from typing import Any

from memos.sdk import erasures, models
from memos.sdk._calls import Call, _get, _given, _path, _post, reads
from memos.sdk._resources import _async_pages, _AsyncResource, _awaits, _pages, _Resource, _sends


def erasures_create(
    *,
    user_id: str | None = None,
    conversation_id: str | None = None,
    turn_id: str | None = None,
    cube_id: str | None = None,
    version_id: str | None = None,
    dry_run: bool | None = None,
    derived: str | None = None,
    idempotency_key: str | None = None,
) -> Call[erasures.Erasure]:
    """Erases one thing, named by one of the five, and everything that came of it; with `dry_run` only says what that
    would be. `derived`: what becomes of later answers that quote it: redact, erase or list. Ask with `get` until its
    status is done."""
    body = _given(
        user_id=user_id, conversation_id=conversation_id, turn_id=turn_id, cube_id=cube_id, version_id=version_id,
        dry_run=dry_run, derived=derived,
    )  # fmt: skip
    return _post(reads(erasures.Erasure), "/v1/erasures", body, idempotency_key)


def erasures_list(*, page_size: int | None = None, cursor: str | None = None) -> "Call[models.Page[erasures.Erasure]]":
    """Iterates over erasures and dry runs, newest first."""
    return _get(reads(models.Page[erasures.Erasure]), "/v1/erasures", limit=page_size, cursor=cursor)


def erasures_get(erasure_id: str) -> Call[erasures.Erasure]:
    """One erasure, with its receipt once it has one."""
    return _get(reads(erasures.Erasure), _path("v1", "erasures", erasure_id))


def erasures_items(
    erasure_id: str, *, of: str | None = None, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[erasures.ErasureItem]]":
    """Iterates over everything that an erasure reaches; `of` one store only."""
    path = _path("v1", "erasures", erasure_id, "items")
    return _get(reads(models.Page[erasures.ErasureItem]), path, of=of, limit=page_size, cursor=cursor)


def erasures_verify(receipt: Mapping[str, Any]) -> Call[erasures.ReceiptChecked]:
    """Checks a receipt against the stores."""
    body = {"receipt": dict(receipt)}
    return _post(reads(erasures.ReceiptChecked), "/v1/erasures/verify", body, None, once=False)


class Erasures(_Resource):
    """What is to be forgotten, everything that came of it, and receipts of that."""

    create = _sends(erasures_create)
    list = _pages(erasures_list)
    get = _sends(erasures_get)
    items = _pages(erasures_items)
    verify = _sends(erasures_verify)


class AsyncErasures(_AsyncResource):
    """What is to be forgotten, everything that came of it, and receipts of that."""

    create = _awaits(erasures_create)
    list = _async_pages(erasures_list)
    get = _awaits(erasures_get)
    items = _async_pages(erasures_items)
    verify = _awaits(erasures_verify)
