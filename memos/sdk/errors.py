"""Everything that the SDK raises, in one tree.

    MemosError                        anything from this SDK
    |- NotConfiguredError             no address or no key was found; nothing was sent
    |- InvalidResponseError           an answer that does not fit the contract: another version, or a proxy in between
    |- APIConnectionError             no answer came; whether the request took effect is unknown
    |  |- APITimeoutError             no answer came in time
    |  `- StreamInterruptedError      a stream ended before its `done` event
    `- APIStatusError                 the service answered with a problem document: nothing was half-written
       |- BadRequestError             400
       |- AuthenticationError         401
       |- PermissionDeniedError       403
       |- NotFoundError               404
       |- ConflictError               409
       |- GoneError                   410
       |- TooLargeError               413
       |- UnprocessableError          422
       |- RateLimitError              429, retried first
       `- InternalServerError         500 and every other 5xx
          `- ServiceUnavailableError  502, 503 and 504, retried first

"Failed" and "outcome unknown" are different errors on purpose. After an APIConnectionError, call again with
`idempotency_key=error.idempotency_key`: the service does the work once and gives the stored answer.
"""

from typing import Any


class MemosError(Exception):
    """Anything that this SDK raises."""

    code: str = "client_error"
    hint: str | None = None

    def __init__(self, message: str, *, code: str | None = None, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code
        if hint is not None:
            self.hint = hint

    def __str__(self) -> str:
        return f"{self.message} ({self.hint})" if self.hint else self.message


class NotConfiguredError(MemosError):
    """No service address or no API key was found. Nothing was sent."""

    code = "not_configured"


class InvalidResponseError(MemosError):
    """The answer does not fit the contract."""

    code = "invalid_response"
    hint = "Check that the address is a memos service and not a proxy's page, and that client and service versions fit."


class APIConnectionError(MemosError):
    """No answer came. Whether the request took effect is unknown; `idempotency_key` makes asking again safe."""

    code = "connection_failed"
    hint = "Check that the service runs (`memos doctor`), then call again with the same idempotency_key."

    def __init__(
        self, message: str, *, idempotency_key: str | None = None, code: str | None = None, hint: str | None = None
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.idempotency_key = idempotency_key
        self._sent = True  # False when the connection never came about, so that nothing can have happened


class APITimeoutError(APIConnectionError):
    """No answer came in time."""

    code = "timeout"


class StreamInterruptedError(APIConnectionError):
    """A stream ended before its `done` event, so its tokens are not an answer."""

    code = "stream_interrupted"


class APIStatusError(MemosError):
    """The service refused, with a problem document. `code` is stable: match on it."""

    def __init__(
        self,
        message: str,
        *,
        status: int,
        code: str,
        hint: str | None = None,
        request_id: str | None = None,
        retry_after_s: float | None = None,
        problem: dict[str, Any] | None = None,
    ) -> None:
        super().__init__(message, code=code, hint=hint)
        self.status = status
        self.request_id = request_id
        self.retry_after_s = retry_after_s
        self.problem = problem or {}

    @property
    def context(self) -> dict[str, Any]:
        """What the service says about this case, such as the limit that was passed."""
        context = self.problem.get("context")
        return context if isinstance(context, dict) else {}

    def __str__(self) -> str:
        request = f" [request {self.request_id}]" if self.request_id else ""
        return f"{self.status} {self.code}: {super().__str__()}{request}"


class BadRequestError(APIStatusError):
    """400: the request cannot be served as it is."""


class AuthenticationError(APIStatusError):
    """401: a valid API key is needed."""


class PermissionDeniedError(APIStatusError):
    """403: this key may not do that."""


class NotFoundError(APIStatusError):
    """404: there is no such thing, or it is not yours."""


class ConflictError(APIStatusError):
    """409: the request does not fit the present state."""


class GoneError(APIStatusError):
    """410: it was erased."""


class TooLargeError(APIStatusError):
    """413: the request is larger than the service accepts."""


class UnprocessableError(APIStatusError):
    """422: the request does not fit the contract; `problem["errors"]` names the fields."""


class RateLimitError(APIStatusError):
    """429: too much is under way already."""


class InternalServerError(APIStatusError):
    """500: something went wrong inside the service."""


class ServiceUnavailableError(InternalServerError):
    """503: a part of the service cannot be reached right now."""


_BY_STATUS: dict[int, type[APIStatusError]] = {
    400: BadRequestError,
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    410: GoneError,
    413: TooLargeError,
    422: UnprocessableError,
    429: RateLimitError,
    502: ServiceUnavailableError,
    503: ServiceUnavailableError,
    504: ServiceUnavailableError,
}


def _class_of(status: int) -> type[APIStatusError]:
    return _BY_STATUS.get(status, InternalServerError if status >= 500 else APIStatusError)


def _from_problem(
    status: int, problem: dict[str, Any], request_id: str | None = None, retry_after_s: float | None = None
) -> APIStatusError:
    """The error that a problem document stands for. Anything may be missing from it."""

    def text(name: str) -> str | None:
        value = problem.get(name)
        return value if isinstance(value, str) and value else None

    return _class_of(status)(
        text("detail") or text("title") or f"the service answered {status}",
        status=status,
        code=text("code") or f"http_{status}",
        hint=text("hint"),
        request_id=request_id or text("request_id"),
        retry_after_s=retry_after_s,
        problem=problem,
    )
