"""Renders pages. Everything that goes into one is escaped, unless it was made here; what a template asks for and was
not given is an error and not an empty place.
"""

import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

import memos
from memos.console import charts, words
from memos.console.assets import Assets
from memos.console.session import COOKIE, PATH, Session, Sessions

# What a page may load and do: its own files, and nothing written into it. `X-Frame-Options` is for old browsers.
HEADERS = {
    "Content-Security-Policy": "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}


class Console:
    """What the console's pages share: files, templates, sessions."""

    def __init__(self, sessions: Sessions) -> None:
        self.sessions = sessions
        self.assets = Assets()
        self._templates = Environment(
            loader=PackageLoader("memos.console"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self._templates.globals |= {
            "asset": self.assets.address,
            "charts": charts,
            "version": memos.__version__,
            "fresh_key": lambda: secrets.token_hex(16),
            "NAVIGATION": words.NAVIGATION,
            "CONFIG": words.HTMX,
            "SHORTCUTS": words.SHORTCUTS,
            "DONE": words.DONE,
        }
        self._templates.filters |= {
            "when": when, "short": words.short, "count": words.count, "size": words.size, "span": words.span,
            "kind_of": words.kind_of, "pretty": words.pretty,
        }  # fmt: skip

    def render(self, request: Request, template: str, code: int = 200, **context: Any) -> HTMLResponse:
        """A page or, for the pieces whose names begin with an underscore, a part of one."""
        visitor = getattr(request.state, "visitor", None)
        common = {
            "visitor": visitor,
            "csrf": visitor.token if visitor is not None else "",
            "path": request.url.path,
            "done": words.DONE.get(request.query_params.get("done", "")),
            "now": datetime.now(UTC),
        }
        page = HTMLResponse(self._templates.get_template(template).render(common | context), code)
        if visitor is not None and visitor.session.stale and request.headers.get("hx-request") is None:
            remember(page, request, self.sessions, self.sessions.renewed(visitor.session))
        return page


def console_of(request: Request) -> Console:
    console: Console = request.app.state.console
    return console


def show(request: Request, template: str, code: int = 200, **context: Any) -> HTMLResponse:
    return console_of(request).render(request, template, code, **context)


def go(address: str, done: str | None = None) -> Response:
    """On to a page, after something was done. A browser that reloads it does nothing again."""
    mark = "&" if "?" in address else "?"
    return RedirectResponse(address if done is None else f"{address}{mark}done={done}", 303)


def remember(page: Response, request: Request, sessions: Sessions, session: Session) -> None:
    secure = request.url.scheme == "https"
    page.set_cookie(COOKIE, sessions.seal(session), path=PATH, secure=secure, httponly=True, samesite="strict")


def when(moment: datetime | None, now: datetime | None = None) -> Markup:
    """How long ago, with the exact moment on hover."""
    if moment is None:
        return Markup('<span class="none">never</span>')
    exact = moment.astimezone(UTC)
    said = words.ago(exact, now or datetime.now(UTC))
    return Markup('<time datetime="{}" title="{}">{}</time>').format(
        exact.isoformat(timespec="seconds"), exact.strftime("%Y-%m-%d %H:%M:%S UTC"), said
    )


def headers_for(path: str) -> Mapping[str, str]:
    kept = {} if path.startswith(f"{PATH}/static/") else {"Cache-Control": "no-store"}
    return HEADERS | kept
