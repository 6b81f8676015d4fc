"""The view of a client whose calls answer with a RawResponse. Each resource is made anew over a sender that does not
read what it is answered; the calls themselves are the very same.
"""

from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

from memos.sdk._calls import Call
from memos.sdk.errors import MemosError
from memos.sdk.raw import RawResponse

if TYPE_CHECKING:
    from memos.sdk.client import AsyncMemos, Memos

T = TypeVar("T")


class RawView:
    """`client.with_raw_response.turns.create(...)` answers with a RawResponse of what the call returns otherwise; a
    list with one of its first page. Typed as Any: the descriptions are those of the client."""

    def __init__(self, client: "Memos") -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return _over(self._client, self, name)

    def _send(self, call: Call[T]) -> RawResponse[T]:
        return RawResponse(call, self._client._respond(call))

    _list = _send

    def _stream(self, call: Call[Any]) -> NoReturn:
        raise _NO_STREAM


class AsyncRawView:
    """The same for a client that is awaited; a list is awaited too."""

    def __init__(self, client: "AsyncMemos") -> None:
        self._client = client

    def __getattr__(self, name: str) -> Any:
        return _over(self._client, self, name)

    async def _send(self, call: Call[T]) -> RawResponse[T]:
        return RawResponse(call, await self._client._respond(call))

    _list = _send

    def _stream(self, call: Call[Any]) -> NoReturn:
        raise _NO_STREAM


_NO_STREAM = MemosError(
    "a stream has no raw response", code="no_raw_stream", hint="Use turns.stream of the client itself."
)


def _over(client: object, sender: object, name: str) -> Any:
    """A resource of the client over another sender."""
    resource = vars(client).get(name)
    if name.startswith("_") or resource is None:
        raise AttributeError(f"there is no resource {name!r}")
    return type(resource)(sender)
