"""The calls of deltas, as values, and bound to a client; as `_calls` and `_resources`."""

from collections.abc import Sequence

from memos.sdk import deltas, models
from memos.sdk._calls import Call, _get, _given, _path, _post, reads
from memos.sdk._resources import _async_pages, _AsyncResource, _awaits, _pages, _Resource, _sends


def deltas_create(
    cube_ids: Sequence[str] | None = None,
    *,
    version_ids: Sequence[str] | None = None,
    user_id: str | None = None,
    agent_id: str | None = None,
    rank: int | None = None,
    steps: int | None = None,
    seed: int | None = None,
    idempotency_key: str | None = None,
) -> Call[deltas.DeltaRun]:
    """Queues a training: what these cubes hold becomes a part of what the model knows in conversations of the user or
    the agent. Asked for again with the same cubes and seed, it is the same run."""
    body = _given(
        cube_ids=None if cube_ids is None else list(cube_ids),
        version_ids=None if version_ids is None else list(version_ids),
        user_id=user_id,
        agent_id=agent_id,
        rank=rank,
        steps=steps,
        seed=seed,
    )
    return _post(reads(deltas.DeltaRun), "/v1/deltas", body, idempotency_key)


def deltas_list(
    *, status: str | None = None, user_id: str | None = None, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[deltas.DeltaRun]]":
    """Iterates over the trainings, newest first."""
    page = reads(models.Page[deltas.DeltaRun])
    return _get(page, "/v1/deltas", status=status, user_id=user_id, limit=page_size, cursor=cursor)


def deltas_get(run_id: str) -> Call[deltas.DeltaRun]:
    """One training: how far it is, what it found, which cube it made."""
    return _get(reads(deltas.DeltaRun), _path("v1", "deltas", run_id))


class Deltas(_Resource):
    """Memories that become a part of what the model knows."""

    create = _sends(deltas_create)
    list = _pages(deltas_list)
    get = _sends(deltas_get)


class AsyncDeltas(_AsyncResource):
    """Memories that become a part of what the model knows."""

    create = _awaits(deltas_create)
    list = _async_pages(deltas_list)
    get = _awaits(deltas_get)
