"""The calls bound to a client: `client.turns.create(...)`. Each method of the sync and of the async client is made from
the same function of `_calls`, with its signature and its description.
"""

import inspect
from collections.abc import Callable, Coroutine
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar, get_args

from memos.sdk import _calls, _cubes, _past
from memos.sdk._calls import Call
from memos.sdk.models import Page, Turn
from memos.sdk.pages import AsyncPages, Pages
from memos.sdk.streaming import AsyncTurnStream, TurnStream

P = ParamSpec("P")
T = TypeVar("T")


class _Sender(Protocol):
    def _send(self, call: Call[T]) -> T: ...
    def _list(self, call: Call[Page[T]]) -> Pages[T]: ...
    def _stream(self, call: Call[Turn]) -> TurnStream: ...


class _AsyncSender(Protocol):
    async def _send(self, call: Call[T]) -> T: ...
    def _list(self, call: Call[Page[T]]) -> AsyncPages[T]: ...
    def _stream(self, call: Call[Turn]) -> AsyncTurnStream: ...


class _Resource:
    def __init__(self, client: _Sender) -> None:
        self._client = client


class _AsyncResource:
    def __init__(self, client: _AsyncSender) -> None:
        self._client = client


def _describe(method: Callable[..., Any], build: Callable[..., Any], answer: Callable[[Any], Any]) -> None:
    """Gives a method the name, signature and description of the function it is made from. `answer` makes its return
    annotation from the function's."""
    signature = inspect.signature(build)
    method.__name__ = build.__name__.partition("_")[2] or build.__name__
    method.__doc__ = build.__doc__
    method.__signature__ = signature.replace(  # type: ignore[attr-defined]
        parameters=[inspect.Parameter("self", inspect.Parameter.POSITIONAL_ONLY), *signature.parameters.values()],
        return_annotation=answer(signature.return_annotation),
    )


def _one(made: Any) -> Any:
    """The T of a Call[T]."""
    return get_args(made)[0]


def _paged(pages: str, made: str) -> str:
    """`Pages[T]` of what says `Call[models.Page[module.T]]`."""
    return f"{pages}[{made.rpartition('.')[2].rstrip(']')}]"


def _sends(build: Callable[P, Call[T]]) -> Callable[Concatenate[_Resource, P], T]:
    def method(self: _Resource, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return self._client._send(build(*args, **kwargs))

    _describe(method, build, _one)
    return method


def _pages(build: Callable[P, Call[Page[T]]]) -> Callable[Concatenate[_Resource, P], Pages[T]]:
    def method(self: _Resource, /, *args: P.args, **kwargs: P.kwargs) -> Pages[T]:
        return self._client._list(build(*args, **kwargs))

    _describe(method, build, lambda made: _paged("Pages", made))
    return method


def _streams(build: Callable[P, Call[Turn]]) -> Callable[Concatenate[_Resource, P], TurnStream]:
    def method(self: _Resource, /, *args: P.args, **kwargs: P.kwargs) -> TurnStream:
        return self._client._stream(build(*args, **kwargs))

    _describe(method, build, lambda _: TurnStream)
    return method


def _awaits(build: Callable[P, Call[T]]) -> Callable[Concatenate[_AsyncResource, P], Coroutine[Any, Any, T]]:
    async def method(self: _AsyncResource, /, *args: P.args, **kwargs: P.kwargs) -> T:
        return await self._client._send(build(*args, **kwargs))

    _describe(method, build, _one)
    return method


def _async_pages(build: Callable[P, Call[Page[T]]]) -> Callable[Concatenate[_AsyncResource, P], AsyncPages[T]]:
    def method(self: _AsyncResource, /, *args: P.args, **kwargs: P.kwargs) -> AsyncPages[T]:
        return self._client._list(build(*args, **kwargs))

    _describe(method, build, lambda made: _paged("AsyncPages", made))
    return method


def _async_streams(build: Callable[P, Call[Turn]]) -> Callable[Concatenate[_AsyncResource, P], AsyncTurnStream]:
    def method(self: _AsyncResource, /, *args: P.args, **kwargs: P.kwargs) -> AsyncTurnStream:
        return self._client._stream(build(*args, **kwargs))

    _describe(method, build, lambda _: AsyncTurnStream)
    return method


class Conversations(_Resource):
    """Conversations: a user's line of turns with one memory."""

    create = _sends(_calls.conversations_create)
    list = _pages(_calls.conversations_list)
    get = _sends(_calls.conversations_get)
    rollback = _sends(_calls.conversations_rollback)
    fork = _sends(_calls.conversations_fork)
    import_turns = _sends(_calls.conversations_import_turns)
    as_of = _sends(_past.conversations_as_of)
    merge = _sends(_past.conversations_merge)


class AsyncConversations(_AsyncResource):
    """Conversations: a user's line of turns with one memory."""

    create = _awaits(_calls.conversations_create)
    list = _async_pages(_calls.conversations_list)
    get = _awaits(_calls.conversations_get)
    rollback = _awaits(_calls.conversations_rollback)
    fork = _awaits(_calls.conversations_fork)
    import_turns = _awaits(_calls.conversations_import_turns)
    as_of = _awaits(_past.conversations_as_of)
    merge = _awaits(_past.conversations_merge)


class Turns(_Resource):
    """Turns: one input and its answer."""

    create = _sends(_calls.turns_create)
    stream = _streams(_calls.turns_stream)
    list = _pages(_calls.turns_list)
    get = _sends(_calls.turns_get)
    explanation = _sends(_calls.turns_explanation)
    cancel = _sends(_calls.turns_cancel)


class AsyncTurns(_AsyncResource):
    """Turns: one input and its answer."""

    create = _awaits(_calls.turns_create)
    stream = _async_streams(_calls.turns_stream)
    list = _async_pages(_calls.turns_list)
    get = _awaits(_calls.turns_get)
    explanation = _awaits(_calls.turns_explanation)
    cancel = _awaits(_calls.turns_cancel)


class Cubes(_Resource):
    """MemCubes: governed memories, their versions and lineage."""

    list = _pages(_calls.cubes_list)
    get = _sends(_calls.cubes_get)
    versions = _pages(_calls.cubes_versions)
    version = _sends(_calls.cubes_version)
    payload = _sends(_calls.cubes_payload)
    lineage = _sends(_calls.cubes_lineage)
    as_of = _sends(_past.cubes_as_of)
    list_as_of = _pages(_past.cubes_list_as_of)
    diff = _sends(_past.cubes_diff)
    rollback = _sends(_past.cubes_rollback)
    fork = _sends(_past.cubes_fork)
    export = _sends(_calls.cubes_export)
    import_archive = _sends(_calls.cubes_import_archive)
    create = _sends(_cubes.cubes_create)
    revise = _sends(_cubes.cubes_revise)
    update = _sends(_cubes.cubes_update)
    transition = _sends(_cubes.cubes_transition)
    freeze = _sends(_cubes.cubes_freeze)
    convert = _sends(_cubes.cubes_convert)
    split = _sends(_cubes.cubes_split)
    merge = _sends(_cubes.cubes_merge)
    promote = _sends(_cubes.cubes_promote)
    demote = _sends(_cubes.cubes_demote)
    events = _pages(_cubes.cubes_events)
    metadata = _sends(_cubes.cubes_metadata)


class AsyncCubes(_AsyncResource):
    """MemCubes: governed memories, their versions and lineage."""

    list = _async_pages(_calls.cubes_list)
    get = _awaits(_calls.cubes_get)
    versions = _async_pages(_calls.cubes_versions)
    version = _awaits(_calls.cubes_version)
    payload = _awaits(_calls.cubes_payload)
    lineage = _awaits(_calls.cubes_lineage)
    as_of = _awaits(_past.cubes_as_of)
    list_as_of = _async_pages(_past.cubes_list_as_of)
    diff = _awaits(_past.cubes_diff)
    rollback = _awaits(_past.cubes_rollback)
    fork = _awaits(_past.cubes_fork)
    export = _awaits(_calls.cubes_export)
    import_archive = _awaits(_calls.cubes_import_archive)
    create = _awaits(_cubes.cubes_create)
    revise = _awaits(_cubes.cubes_revise)
    update = _awaits(_cubes.cubes_update)
    transition = _awaits(_cubes.cubes_transition)
    freeze = _awaits(_cubes.cubes_freeze)
    convert = _awaits(_cubes.cubes_convert)
    split = _awaits(_cubes.cubes_split)
    merge = _awaits(_cubes.cubes_merge)
    promote = _awaits(_cubes.cubes_promote)
    demote = _awaits(_cubes.cubes_demote)
    events = _async_pages(_cubes.cubes_events)
    metadata = _awaits(_cubes.cubes_metadata)


class Users(_Resource):
    """Users: whatever names you gave them."""

    memory = _pages(_past.users_memory)


class AsyncUsers(_AsyncResource):
    """Users: whatever names you gave them."""

    memory = _async_pages(_past.users_memory)


class Jobs(_Resource):
    """Background work."""

    list = _pages(_calls.jobs_list)
    get = _sends(_calls.jobs_get)
    retry = _sends(_calls.jobs_retry)


class AsyncJobs(_AsyncResource):
    """Background work."""

    list = _async_pages(_calls.jobs_list)
    get = _awaits(_calls.jobs_get)
    retry = _awaits(_calls.jobs_retry)


class Keys(_Resource):
    """API keys."""

    create = _sends(_calls.keys_create)
    list = _pages(_calls.keys_list)
    revoke = _sends(_calls.keys_revoke)


class AsyncKeys(_AsyncResource):
    """API keys."""

    create = _awaits(_calls.keys_create)
    list = _async_pages(_calls.keys_list)
    revoke = _awaits(_calls.keys_revoke)


class Tenants(_Resource):
    """Tenants; for operators."""

    create = _sends(_calls.tenants_create)


class AsyncTenants(_AsyncResource):
    """Tenants; for operators."""

    create = _awaits(_calls.tenants_create)
