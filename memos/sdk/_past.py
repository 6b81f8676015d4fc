"""The calls of the time machine, as values (see `_calls`). A moment is a datetime with its offset, or such a text."""

from datetime import datetime
from typing import Literal

from memos.sdk import models, past
from memos.sdk._calls import Call, _get, _given, _path, _post, reads
from memos.sdk.errors import MemosError

Moment = datetime | str
Strategy = Literal["replay", "average"]


def _written(moment: Moment | None) -> str | None:
    return moment.isoformat() if isinstance(moment, datetime) else moment


def cubes_as_of(cube_id: str, as_of: Moment | None = None, *, valid_at: Moment | None = None) -> Call[past.CubeThen]:
    """A cube as it was: what memos knew at `as_of`. With `valid_at`, what it said was so at that moment."""
    if as_of is None and valid_at is None:
        raise MemosError(
            "say as of when", code="no_moment", hint="Give as_of or valid_at; `get` reads a cube as it is."
        )
    path = _path("v1", "cubes", cube_id)
    return _get(reads(past.CubeThen), path, as_of=_written(as_of), valid_at=_written(valid_at))


def cubes_list_as_of(
    as_of: Moment,
    *,
    kind: str | None = None,
    lifecycle: str | None = None,
    user_id: str | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> "Call[models.Page[past.CubeThen]]":
    """Iterates over the cubes that were there at a moment, as they were, page after page."""
    return _get(
        reads(models.Page[past.CubeThen]), "/v1/cubes", as_of=_written(as_of), kind=kind, lifecycle=lifecycle,
        user_id=user_id, limit=page_size, cursor=cursor,
    )  # fmt: skip


def cubes_diff(cube_id: str, from_version: int, to_version: int, *, limit: int | None = None) -> Call[past.CubeDiff]:
    """What differs between two versions of a cube: words of a text, slots of a state, tensors of a delta."""
    path = _path("v1", "cubes", cube_id, "diff")
    return _get(reads(past.CubeDiff), path, **{"from": from_version}, to=to_version, limit=limit)


def cubes_rollback(cube_id: str, to_version: int, *, idempotency_key: str | None = None) -> Call[past.CubeRolledBack]:
    """Appends a version that holds again what version `to_version` held. A conversation's state goes back with
    `conversations.rollback`."""
    path = _path("v1", "cubes", cube_id, "rollback")
    return _post(reads(past.CubeRolledBack), path, {"to_version": to_version}, idempotency_key)


def cubes_fork(
    cube_id: str,
    at_version: int,
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    idempotency_key: str | None = None,
) -> Call[past.Forked]:
    """A new cube that begins with what version `at_version` held, for the same owner unless you name another."""
    body = _given(at_version=at_version, user_id=user_id, agent_id=agent_id)
    return _post(reads(past.Forked), _path("v1", "cubes", cube_id, "fork"), body, idempotency_key)


def conversations_as_of(conversation_id: str, as_of: Moment) -> Call[past.ConversationThen]:
    """A conversation as it was at a moment: its state and the turns that it held."""
    path = _path("v1", "conversations", conversation_id)
    return _get(reads(past.ConversationThen), path, as_of=_written(as_of))


def conversations_merge(
    conversation_id: str,
    from_conversation_id: str,
    *,
    strategy: Strategy | None = None,
    idempotency_key: str | None = None,
) -> Call[past.StatesMerged]:
    """Takes in what another conversation of the same user was told since both were one. `replay`, the default, takes
    its turns in one by one and keeps facts; `average` takes the mean of both states at once and may blur them."""
    body = _given(from_conversation_id=from_conversation_id, strategy=strategy)
    path = _path("v1", "conversations", conversation_id, "merge")
    return _post(reads(past.StatesMerged), path, body, idempotency_key)


def users_memory(
    user_id: str, *, as_of: Moment | None = None, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[past.CubeThen]]":
    """Iterates over all cubes of a user with what they said: as they are, or as they were at `as_of`."""
    path = _path("v1", "users", user_id, "memory")
    page = reads(models.Page[past.CubeThen])
    return _get(page, path, as_of=_written(as_of), limit=page_size, cursor=cursor)
