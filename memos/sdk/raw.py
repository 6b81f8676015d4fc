"""What a call was answered with, before it is read: `client.with_raw_response`."""

from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    import httpx2

    from memos.sdk._calls import Call

T = TypeVar("T")


class RawResponse(Generic[T]):
    """An answer that succeeded, as it came over the wire."""

    def __init__(self, call: "Call[T]", response: "httpx2.Response") -> None:
        self._call = call
        self._response = response

    @property
    def status(self) -> int:
        """The HTTP status."""
        return self._response.status_code

    @property
    def headers(self) -> dict[str, str]:
        """The headers, their names in lower case."""
        return {name.lower(): value for name, value in self._response.headers.items()}

    @property
    def request_id(self) -> str | None:
        """What the service calls this request, in its log too."""
        return self._response.headers.get("X-Request-Id")

    @property
    def idempotency_key(self) -> str | None:
        """The key that the call was sent with, the same for every try of it."""
        return self._call.idempotency_key

    @property
    def content(self) -> bytes:
        """The body."""
        return self._response.content

    @property
    def elapsed_s(self) -> float:
        """Seconds from the sending of the last try to the end of its answer."""
        return self._response.elapsed.total_seconds()

    def parse(self) -> T:
        """What the call would have returned; of a list, its first page."""
        return self._call.read(self.content)

    def __repr__(self) -> str:
        return f"RawResponse(status={self.status}, request_id={self.request_id!r})"
