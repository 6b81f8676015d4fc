"""How every route of the console answers: its errors are pages a person can read, and every answer carries the headers
that keep a browser strict."""

from collections.abc import Callable, Coroutine
from typing import Any
from urllib.parse import quote

import structlog
from fastapi import Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import RedirectResponse, Response
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException

from memos.console.pages import headers_for, show
from memos.console.session import PATH, NoSession
from memos.kit.errors import Invalid, MemosError, NotFound, TooLarge
from memos.kit.unit_of_work import translated

LOG = structlog.get_logger(__name__)
HTMX = "hx-request"


class ConsoleRoute(APIRoute):
    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def answered(request: Request) -> Response:
            try:
                answer = await handle(request)
            except Exception as error:
                answer = refused(request, error)
            answer.headers.update(headers_for(request.url.path))
            return answer

        return answered


def refused(request: Request, error: Exception) -> Response:
    """The page of an error; whoever has no session is asked for a key first."""
    if isinstance(error, NoSession):
        return _to_entrance(request)
    known = _known(error)
    if known.status >= 500 and not isinstance(translated(error), MemosError):
        LOG.error("console.failed", path=request.url.path, exc_info=error)
    part = request.headers.get(HTMX) is not None
    request_id = getattr(request.state, "request_id", None)
    return show(request, "_error.html" if part else "error.html", known.status, error=known, request_id=request_id)


def _known(error: Exception) -> MemosError:
    if isinstance(error, RequestValidationError):
        first = error.errors()[0]
        if first["loc"][0] == "path":
            return NotFound("there is nothing at this address")
        where = ".".join(str(part) for part in first["loc"][1:])
        return Invalid(f"{where}: {first['msg']}", hint="Go back and mend it.")
    if isinstance(error, HTTPException):
        return TooLarge(error.detail) if error.status_code == 413 else NotFound("there is nothing at this address")
    found = translated(error)
    return found if isinstance(found, MemosError) else MemosError()


def _to_entrance(request: Request) -> Response:
    """And back to the page that was asked for, if it was a page."""
    asked = request.url.path if request.method == "GET" and HTMX not in request.headers else PATH
    if request.url.query and asked != PATH:
        asked = f"{asked}?{request.url.query}"
    address = f"{PATH}/login" if asked == PATH else f"{PATH}/login?next={quote(asked, safe='')}"
    if request.headers.get(HTMX) is not None:
        return Response(status_code=401, headers={"HX-Redirect": address})
    return RedirectResponse(address, 303)
