"""Every error leaves as an RFC 9457 problem document with a stable code and a hint."""

from collections.abc import Mapping
from typing import Any

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.types import Scope

from memos.http import openai_errors
from memos.http.openapi import methods_of, undocumented_method
from memos.kit.errors import Invalid, MemosError, NotFound, TooLarge
from memos.kit.unit_of_work import translated

LOG = structlog.get_logger(__name__)
MEDIA_TYPE = "application/problem+json"


class MalformedJson(Invalid):
    """The body is not JSON."""

    code = "malformed_json"
    status = 400
    hint = "Send a JSON object with Content-Type: application/json."


class MalformedAddress(Invalid):
    """The address is not readable text."""

    code = "malformed_address"
    status = 400
    hint = "Send the path and the query as percent-encoded UTF-8 without NUL."


class MethodNotAllowed(Invalid):
    """This path does not take that method."""

    code = "method_not_allowed"
    status = 405
    hint = "GET /openapi.json lists what each path takes."


def problem_of(error: MemosError, request: Request | None = None) -> dict[str, Any]:
    body = error.problem()
    if request is not None:
        body |= {"instance": request.url.path, "request_id": getattr(request.state, "request_id", None)}
    return body


def respond(error: MemosError, request: Request, headers: Mapping[str, str] | None = None, **extra: Any) -> Response:
    headers = dict(headers or {})
    # The handler of what nobody expected runs outside of all middleware, so the id is set here too.
    request_id = getattr(request.state, "request_id", None)
    if request_id is not None:
        headers["X-Request-Id"] = request_id
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, round(error.retry_after_s)))
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if openai_errors.speaks_openai(request.url.path):
        return JSONResponse(openai_errors.body_of(error, extra.get("errors")), openai_errors.status_of(error), headers)
    return JSONResponse(problem_of(error, request) | extra, error.status, headers, MEDIA_TYPE)


def _plain(value: Any) -> str:
    """Text that any encoder takes, whatever the client sent."""
    return str(value).encode("utf-8", "replace").decode()


async def _memos_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, MemosError)
    return respond(error, request)


async def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    if undocumented_method(request.app, request.url.path, request.method):
        return _not_allowed(request)
    first = error.errors()[0]
    if first["type"] == "json_invalid":
        return respond(MalformedJson(f"the body is not JSON: {_plain(first.get('ctx', {}).get('error', ''))}"), request)
    errors = [
        {"where": ".".join(_plain(part) for part in item["loc"]), "message": _plain(item["msg"])}
        for item in error.errors()[:20]
    ]
    detail = f"{errors[0]['where']}: {errors[0]['message']}"
    return respond(Invalid(detail), request, errors=errors)


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code == 404:
        return respond(NotFound(f"there is nothing at {_plain(request.url.path)}"), request)
    if error.status_code == 405:
        return _not_allowed(request)
    if error.status_code == 413:
        return respond(TooLarge(error.detail), request)
    if error.status_code == 400:
        return respond(MalformedJson(_plain(error.detail)), request)
    mapped = MemosError(_plain(error.detail))
    return JSONResponse(
        problem_of(mapped, request) | {"status": error.status_code}, error.status_code, None, MEDIA_TYPE
    )


def _not_allowed(request: Request) -> Response:
    allow = ", ".join(sorted(methods_of(request.app, request.url.path)))
    error = MethodNotAllowed(f"{_plain(request.method)} is not taken here, {allow} is")
    return respond(error, request, {"Allow": allow})


def route_of(scope: Scope) -> str:
    """The template of the route that took a request: for logs and figures, where an address may name a user."""
    return str(getattr(scope.get("route"), "path", "none"))


async def _unexpected(request: Request, error: Exception) -> Response:
    known = translated(error)
    if isinstance(known, MemosError):
        return respond(known, request)
    LOG.error("request.failed", route=route_of(request.scope), exc_info=error)
    return respond(MemosError(), request)


def install(app: FastAPI) -> None:
    app.add_exception_handler(MemosError, _memos_error)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _http_error)
    app.add_exception_handler(Exception, _unexpected)
