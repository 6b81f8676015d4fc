"""The clients. `Memos` blocks, `AsyncMemos` is awaited; both make the same calls with the same answers and errors.

    with Memos() as client:
        conversation = client.conversations.create("ada")
        turn = client.turns.create(conversation.id, "My dog is called Biscuit.")

Without arguments they find the service by MEMOS_URL and MEMOS_API_KEY, else the embedded one by its data directory.
"""

import os
from collections.abc import AsyncGenerator, Generator
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from memos.sdk import _calls
from memos.sdk._address import Address, resolve
from memos.sdk._calls import Call
from memos.sdk._deltas import AsyncDeltas, Deltas
from memos.sdk._embedder import AsyncEmbedder, Embedder
from memos.sdk._erasures import AsyncErasures, Erasures
from memos.sdk._governance import AsyncAudit, AsyncGrants, AsyncTokens, Audit, Grants, Tokens
from memos.sdk._memories import AsyncMemories, Memories
from memos.sdk._raw import AsyncRawView, RawView
from memos.sdk._resources import (
    AsyncConversations,
    AsyncCubes,
    AsyncJobs,
    AsyncKeys,
    AsyncTenants,
    AsyncTurns,
    AsyncUsers,
    Conversations,
    Cubes,
    Jobs,
    Keys,
    Tenants,
    Turns,
    Users,
)
from memos.sdk._retention import (
    AsyncConsolidations,
    AsyncPolicies,
    AsyncProposals,
    Consolidations,
    Policies,
    Proposals,
)
from memos.sdk._retry import Attempts, Patience
from memos.sdk._wire import (
    client_options,
    connection_error,
    read_answer,
    request_options,
    status_error,
    succeeded,
)
from memos.sdk.models import Page, Readiness, Stats, Turn
from memos.sdk.pages import AsyncPages, Pages
from memos.sdk.streaming import AsyncTurnStream, StreamEvent, TurnStream, _Reader

if TYPE_CHECKING:
    import httpx2

T = TypeVar("T")
DEFAULT_TIMEOUT_S = 180.0  # a turn may wait 30 s for its memory and 120 s for its answer
DEFAULT_MAX_RETRIES = 4
START_TIMEOUT_S = 120.0


class _Stoppable(Protocol):
    def stop(self) -> None: ...


class _Client:
    """What both clients share: the address, the patience, and nothing that sends."""

    def __init__(
        self,
        url: str | None,
        api_key: str | None,
        data_dir: str | os.PathLike[str] | None,
        timeout_s: float,
        max_retries: int,
        user_id: str | None,
        agent_id: str | None,
    ) -> None:
        self._address = resolve(url, api_key, data_dir)
        self._acting = {"X-Memos-User": user_id, "X-Memos-Agent": agent_id}
        self._timeout_s = timeout_s
        self._max_retries = max_retries
        self._service: _Stoppable | None = None

    @property
    def url(self) -> str:
        """The address of the service."""
        return self._address.url

    @property
    def address(self) -> Address:
        """Where the service and the key were found."""
        return self._address

    def __repr__(self) -> str:
        return f"{type(self).__name__}(url={self._address.url!r})"

    def _patience(self, call: Call[Any]) -> Patience:
        return Patience(self._max_retries, self._timeout_s, once=call.once)

    def _options(self) -> dict[str, Any]:
        return client_options(self._address, self._timeout_s, self._acting)


class Memos(_Client):
    """A client that blocks. Threads may share it. Close it, or use it in a `with` block.

    Arguments: `url` and `api_key` of the service; or `data_dir` of an embedded one; `timeout_s`, how long one try may
    wait for bytes; `max_retries`, how often a call is repeated after a connection error, a 429 or a 503; `user_id` and
    `agent_id`, on whose behalf the client acts: it then sees and changes what that user or agent may.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_retries: int = DEFAULT_MAX_RETRIES,
        user_id: str | None = None,
        agent_id: str | None = None,
    ) -> None:
        super().__init__(url, api_key, data_dir, timeout_s, max_retries, user_id, agent_id)
        self.conversations = Conversations(self)
        self.turns = Turns(self)
        self.cubes = Cubes(self)
        self.users = Users(self)
        self.jobs = Jobs(self)
        self.keys = Keys(self)
        self.grants = Grants(self)
        self.tokens = Tokens(self)
        self.audit = Audit(self)
        self.tenants = Tenants(self)
        self.erasures = Erasures(self)
        self.deltas = Deltas(self)
        self.embedder = Embedder(self)
        self.memories = Memories(self)
        self.policies = Policies(self)
        self.consolidations = Consolidations(self)
        self.proposals = Proposals(self)

    @classmethod
    def embedded(
        cls,
        data_dir: str | os.PathLike[str],
        *,
        generator: str | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
        **options: Any,
    ) -> "Memos":
        """Starts the service on this folder as a child of this process, or uses the one that runs there, and waits
        until a turn can be taken; `close` stops what was started. `generator`: who answers, as `memos serve` names
        them; `MEMOS_*` in the environment configure the rest. `options`: as the client takes them. Raises
        NotConfiguredError if it does not start."""
        from memos.sdk._embedded import EmbeddedService

        return EmbeddedService.start(data_dir, generator, start_timeout_s).used_by(cls, options)

    def stats(self) -> Stats:
        """Counts and ages, as the service reports them."""
        return self._send(_calls.stats())

    def ready(self) -> Readiness:
        """Whether a turn can be taken now. A service that is not ready is an answer, not an error; needs no key."""
        return self._send(_calls.ready())

    @property
    def with_raw_response(self) -> RawView:
        """The same calls, answered with a RawResponse: `client.with_raw_response.turns.create(...)`."""
        return RawView(self)

    def close(self) -> None:
        """Closes the connections, and stops a service that `embedded` started. A later call opens new ones."""
        if "_http" in self.__dict__:
            self.__dict__.pop("_http").close()
        if self._service is not None:
            self._service.stop()

    def __enter__(self) -> "Memos":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    @cached_property
    def _http(self) -> "httpx2.Client":
        import httpx2

        return httpx2.Client(**self._options())

    def _send(self, call: Call[T]) -> T:
        return read_answer(call, self._respond(call))

    def _list(self, call: Call[Page[T]]) -> Pages[T]:
        return Pages(self._send, call)

    def _respond(self, call: Call[Any]) -> "httpx2.Response":
        """The answer, read whole, of a call that succeeded."""
        import httpx2

        options = request_options(call, self._address)
        for attempt in Attempts(self._patience(call)):
            with attempt:
                try:
                    response = self._http.request(**options)
                except httpx2.RequestError as error:
                    raise connection_error(call, self._address, error) from error
                return succeeded(call, response)
        raise AssertionError("attempts either return or raise")

    def _stream(self, call: Call[Turn]) -> TurnStream:
        reader = _Reader(call)
        return TurnStream(reader, self._events(call, reader))

    def _events(self, call: Call[Turn], reader: _Reader) -> Generator[StreamEvent, None, None]:
        import httpx2

        options = request_options(call, self._address)
        for attempt in Attempts(self._patience(call)):
            with attempt:
                try:
                    with self._http.stream(**options) as response:
                        if not response.is_success:
                            response.read()
                            raise status_error(response)
                        yield from reader.begin()
                        for event in httpx2.EventSource(response):
                            yield from reader.take(event)
                except httpx2.RequestError as error:
                    if reader.final is None:  # else the answer is whole, and only the connection's end was not clean
                        raise connection_error(call, self._address, error) from error
                reader.end()


class AsyncMemos(_Client):
    """A client that is awaited. Use it in one event loop. Close it, or use it in an `async with` block.

    Arguments: `url` and `api_key` of the service; or `data_dir` of an embedded one; `timeout_s`, how long one try may
    wait for bytes; `max_retries`, how often a call is repeated after a connection error, a 429 or a 503; `user_id` and
    `agent_id`, on whose behalf the client acts: it then sees and changes what that user or agent may.
    """

    def __init__(
        self,
        url: str | None = None,
        api_key: str | None = None,
        *,
        data_dir: str | os.PathLike[str] | None = None,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        max_retries: int = DEFAULT_MAX_RETRIES,
        user_id: str | None = None,
        agent_id: str | None = None,
    ) -> None:
        super().__init__(url, api_key, data_dir, timeout_s, max_retries, user_id, agent_id)
        self.conversations = AsyncConversations(self)
        self.turns = AsyncTurns(self)
        self.cubes = AsyncCubes(self)
        self.users = AsyncUsers(self)
        self.jobs = AsyncJobs(self)
        self.keys = AsyncKeys(self)
        self.grants = AsyncGrants(self)
        self.tokens = AsyncTokens(self)
        self.audit = AsyncAudit(self)
        self.tenants = AsyncTenants(self)
        self.erasures = AsyncErasures(self)
        self.deltas = AsyncDeltas(self)
        self.embedder = AsyncEmbedder(self)
        self.memories = AsyncMemories(self)
        self.policies = AsyncPolicies(self)
        self.consolidations = AsyncConsolidations(self)
        self.proposals = AsyncProposals(self)

    @classmethod
    async def embedded(
        cls,
        data_dir: str | os.PathLike[str],
        *,
        generator: str | None = None,
        start_timeout_s: float = START_TIMEOUT_S,
        **options: Any,
    ) -> "AsyncMemos":
        """Starts the service on this folder as a child of this process, or uses the one that runs there, and waits
        until a turn can be taken; `close` stops what was started. `generator`: who answers, as `memos serve` names
        them; `MEMOS_*` in the environment configure the rest. `options`: as the client takes them. Raises
        NotConfiguredError if it does not start."""
        import asyncio

        from memos.sdk._embedded import EmbeddedService

        service = await asyncio.to_thread(EmbeddedService.start, data_dir, generator, start_timeout_s)
        return service.used_by(cls, options)

    async def stats(self) -> Stats:
        """Counts and ages, as the service reports them."""
        return await self._send(_calls.stats())

    async def ready(self) -> Readiness:
        """Whether a turn can be taken now. A service that is not ready is an answer, not an error; needs no key."""
        return await self._send(_calls.ready())

    @property
    def with_raw_response(self) -> AsyncRawView:
        """The same calls, answered with a RawResponse: `await client.with_raw_response.turns.create(...)`."""
        return AsyncRawView(self)

    async def close(self) -> None:
        """Closes the connections, and stops a service that `embedded` started. A later call opens new ones."""
        if "_http" in self.__dict__:
            await self.__dict__.pop("_http").aclose()
        if self._service is not None:
            import asyncio

            await asyncio.to_thread(self._service.stop)

    async def __aenter__(self) -> "AsyncMemos":
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    @cached_property
    def _http(self) -> "httpx2.AsyncClient":
        import httpx2

        return httpx2.AsyncClient(**self._options())

    async def _send(self, call: Call[T]) -> T:
        return read_answer(call, await self._respond(call))

    def _list(self, call: Call[Page[T]]) -> AsyncPages[T]:
        return AsyncPages(self._send, call)

    async def _respond(self, call: Call[Any]) -> "httpx2.Response":
        """The answer, read whole, of a call that succeeded."""
        import httpx2

        options = request_options(call, self._address)
        async for attempt in Attempts(self._patience(call)):
            with attempt:
                try:
                    response = await self._http.request(**options)
                except httpx2.RequestError as error:
                    raise connection_error(call, self._address, error) from error
                return succeeded(call, response)
        raise AssertionError("attempts either return or raise")

    def _stream(self, call: Call[Turn]) -> AsyncTurnStream:
        reader = _Reader(call)
        return AsyncTurnStream(reader, self._events(call, reader))

    async def _events(self, call: Call[Turn], reader: _Reader) -> AsyncGenerator[StreamEvent, None]:
        import httpx2

        options = request_options(call, self._address)
        async for attempt in Attempts(self._patience(call)):
            with attempt:
                try:
                    async with self._http.stream(**options) as response:
                        if not response.is_success:
                            await response.aread()
                            raise status_error(response)
                        for restarted in reader.begin():
                            yield restarted
                        async for event in httpx2.EventSource(response):
                            for item in reader.take(event):
                                yield item
                except httpx2.RequestError as error:
                    if reader.final is None:  # else the answer is whole, and only the connection's end was not clean
                        raise connection_error(call, self._address, error) from error
                reader.end()
