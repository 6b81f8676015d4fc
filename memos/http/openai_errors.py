"""Errors in OpenAI's shape, on the paths that OpenAI's clients call: they read no problem documents."""

from typing import Any

from memos.kit.errors import MemosError

PATHS = ("/v1/chat/", "/v1/models")
TYPES = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error"}


def speaks_openai(path: str) -> bool:
    return path.startswith(PATHS)


def status_of(error: MemosError) -> int:
    """A request that does not fit is a 400 there."""
    return 400 if error.status == 422 else error.status


def body_of(error: MemosError, errors: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """`code` is the same as in a problem document; the hint is part of the message, which is all that is shown."""
    param = errors[0]["where"].removeprefix("body.") if errors else error.details.get("param")
    kind = TYPES.get(error.status, "server_error" if error.status >= 500 else "invalid_request_error")
    return {"error": {"message": f"{error.message} {error.hint}", "type": kind, "param": param, "code": error.code}}
