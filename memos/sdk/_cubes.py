"""The calls that make and change cubes, as values (see `_calls`)."""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from memos.sdk import cubes, models
from memos.sdk._calls import Call, _get, _given, _path, _post, reads
from memos.sdk._past import Moment, _written


def cubes_create(
    text: str,
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    semantic_type: str | None = None,
    tags: Iterable[str] | None = None,
    priority: int | None = None,
    sensitivity: str | None = None,
    visibility: str | None = None,
    expires_at: Moment | None = None,
    valid_from: Moment | None = None,
    valid_to: Moment | None = None,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call[models.Cube]:
    """Remembers a text as a plaintext cube. `visibility`: owner, shared or tenant; `sensitivity`: normal, sensitive or
    secret; `valid_from` and `valid_to` say when it was so in the world."""
    body = _given(
        text=text, user_id=user_id, agent_id=agent_id, semantic_type=semantic_type,
        tags=None if tags is None else list(tags), priority=priority, sensitivity=sensitivity, visibility=visibility,
        expires_at=_written(expires_at), valid_from=_written(valid_from), valid_to=_written(valid_to),
        metadata=metadata,
    )  # fmt: skip
    return _post(reads(models.Cube), "/v1/cubes", body, idempotency_key)


def cubes_revise(
    cube_id: str,
    text: str,
    *,
    expected: int,
    valid_from: Moment | None = None,
    valid_to: Moment | None = None,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call[models.Version]:
    """A new version of a plaintext cube, if `expected` is the number of the newest: else a ConflictError whose code is
    `head_moved`."""
    body = _given(text=text, valid_from=_written(valid_from), valid_to=_written(valid_to), metadata=metadata)
    call = _post(reads(models.Version), _path("v1", "cubes", cube_id, "versions"), body, idempotency_key)
    return replace(call, headers={"If-Match": f'"{expected}"'})


def cubes_update(cube_id: str, *, reason: str | None = None, **changes: Any) -> Call[models.Cube]:
    """Changes what a cube is labelled with: tags, priority, sensitivity, visibility, semantic_type, expires_at. What is
    not given stays; None takes a semantic type or an expiry away."""
    plain = {name: _written(value) if name == "expires_at" else value for name, value in changes.items()}
    return Call("PATCH", _path("v1", "cubes", cube_id), reads(models.Cube), body=plain | _given(reason=reason))


def cubes_transition(cube_id: str, to: str, reason: str, *, idempotency_key: str | None = None) -> Call[models.Cube]:
    """Moves a cube to `activated`, `archived` or `expired`. An illegal step is a ConflictError that names the legal
    ones."""
    path = _path("v1", "cubes", cube_id, "transition")
    return _post(reads(models.Cube), path, {"to": to, "reason": reason}, idempotency_key)


def cubes_freeze(
    cube_id: str, reason: str, *, frozen: bool = True, idempotency_key: str | None = None
) -> Call[models.Cube]:
    """Keeps a cube exactly as it is, or with `frozen=False` lets it change again."""
    path = _path("v1", "cubes", cube_id, "freeze")
    return _post(reads(models.Cube), path, {"frozen": frozen, "reason": reason}, idempotency_key)


def cubes_convert(cube_id: str, to: str, *, idempotency_key: str | None = None) -> Call[cubes.Conversion]:
    """A cube of another kind from this one, which stays: plaintext, activation or parameter."""
    path = _path("v1", "cubes", cube_id, "convert")
    return _post(reads(cubes.Conversion), path, {"to": to}, idempotency_key)


def cubes_split(
    cube_id: str, parts: Iterable[str | Mapping[str, Any]], *, idempotency_key: str | None = None
) -> Call[cubes.Split]:
    """A plaintext cube for each part: a text, or a mapping of text, semantic_type and tags. The source is archived."""
    wanted = [{"text": part} if isinstance(part, str) else dict(part) for part in parts]
    path = _path("v1", "cubes", cube_id, "split")
    return _post(reads(cubes.Split), path, {"parts": wanted}, idempotency_key)


def cubes_merge(
    cube_ids: Iterable[str], *, text: str | None = None, idempotency_key: str | None = None
) -> Call[models.Cube]:
    """One plaintext cube from several of one owner, which become `merged`. Without `text` it holds all their texts."""
    body = _given(cube_ids=list(cube_ids), text=text)
    return _post(reads(models.Cube), "/v1/cubes/merge", body, idempotency_key)


def cubes_promote(
    cube_id: str, *, reason: str | None = None, idempotency_key: str | None = None
) -> Call[cubes.Conversion]:
    """Converts toward the faster kind: plaintext, activation, parameter. The source is archived when that is done."""
    path = _path("v1", "cubes", cube_id, "promote")
    return _post(reads(cubes.Conversion), path, _given(reason=reason), idempotency_key)


def cubes_demote(
    cube_id: str, *, reason: str | None = None, idempotency_key: str | None = None
) -> Call[cubes.Conversion]:
    """Converts back to plaintext. The source is archived."""
    path = _path("v1", "cubes", cube_id, "demote")
    return _post(reads(cubes.Conversion), path, _given(reason=reason), idempotency_key)


def cubes_events(
    cube_id: str, *, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[cubes.CubeEvent]]":
    """Iterates over what happened to a cube besides its versions, newest first."""
    path = _path("v1", "cubes", cube_id, "events")
    return _get(reads(models.Page[cubes.CubeEvent]), path, limit=page_size, cursor=cursor)


def cubes_metadata(cube_id: str) -> Call[cubes.CubeMetadata]:
    """What a cube is, who may see it, how it is used, and where it is from."""
    return _get(reads(cubes.CubeMetadata), _path("v1", "cubes", cube_id, "metadata"))
