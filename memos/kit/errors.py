"""One tree of errors. Each class has a stable `code`, an HTTP status, and says whether a retry helps.

    MemosError                      500 internal
    |- BadRequest                   4xx: the caller can mend it; `hint` says how
    |  |- Invalid                   422 invalid
    |  |- NotFound                  404 not_found
    |  |- Conflict                  409 conflict
    |  |- Unauthorized / Forbidden  401 / 403
    |  |- TooLarge                  413 too_large
    |  `- TooMany                   429 too_many (Retry-After)
    |- Unavailable                  503: try again after `retry_after_s`
    `- StartupError                 a process refuses to start; `hint` says what to do

The class docstring is the default message.
"""

from typing import Any, ClassVar


class MemosError(Exception):
    """Something went wrong inside memos."""

    code: ClassVar[str] = "internal"
    status: ClassVar[int] = 500
    hint: str = "Report the request id to whoever runs this service."
    retry_after_s: float | None = None

    def __init__(
        self, message: str | None = None, *, hint: str | None = None, retry_after_s: float | None = None, **details: Any
    ) -> None:
        self.message = message or (type(self).__doc__ or "").strip().splitlines()[0]
        if hint is not None:
            self.hint = hint
        if retry_after_s is not None:
            self.retry_after_s = retry_after_s
        self.details = details
        super().__init__(self.message)

    def problem(self) -> dict[str, Any]:
        """The RFC 9457 document, without the request's own fields."""
        body: dict[str, Any] = {
            "type": f"https://memos.dev/problems/{self.code}",
            "title": (type(self).__doc__ or "").strip().splitlines()[0],
            "status": self.status,
            "code": self.code,
            "detail": self.message,
            "hint": self.hint,
        }
        return body | ({"context": self.details} if self.details else {})


class BadRequest(MemosError):
    """The request cannot be served as it is."""

    code = "bad_request"
    status = 400
    hint = "Change the request as the detail says."


class Invalid(BadRequest):
    """The request does not fit the contract."""

    code = "invalid"
    status = 422


class NotFound(BadRequest):
    """There is no such thing, or it is not yours."""

    code = "not_found"
    status = 404
    hint = "Check the id, and that the key belongs to the tenant that owns it."


class Conflict(BadRequest):
    """The request does not fit the present state."""

    code = "conflict"
    status = 409


class Unauthorized(BadRequest):
    """A valid API key is needed."""

    code = "unauthorized"
    status = 401
    hint = "Send `Authorization: Bearer mk_...`; the embedded service's admin key is in DATA_DIR/admin.key."


class Forbidden(BadRequest):
    """This key may not do that."""

    code = "forbidden"
    status = 403
    hint = "Use a key with the scope that the detail names; an admin makes one with POST /v1/keys."


class TooLarge(BadRequest):
    """The request is larger than this service accepts."""

    code = "too_large"
    status = 413
    hint = "Send less in one request, or split it."


class TooMany(BadRequest):
    """Too much is under way already."""

    code = "too_many"
    status = 429
    hint = "Wait as Retry-After says, then send the same request again."
    retry_after_s = 1.0


class Unavailable(MemosError):
    """A part of the service cannot be reached right now."""

    code = "unavailable"
    status = 503
    hint = "Wait as Retry-After says, then send the same request with the same Idempotency-Key."
    retry_after_s = 1.0


class StartupError(MemosError):
    """This process refuses to start."""

    code = "startup"
    hint = "Run `memos doctor`."
