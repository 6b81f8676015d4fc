"""How tests visit the console without a browser, and what every form of it is sent.

Its pages are in no document: tests that look at every documented call leave them out by `of_the_console`, and the
console has tests of its own that hold every one of its routes (`routes`).
"""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import httpx2

from memos.console.session import PATH
from tests.support.live import Live

TOKEN = re.compile(r'data-csrf="([0-9a-f]{64})"')
VISIT = re.compile(r'name="csrf" value="([0-9a-f]{64})"')
# What each form is sent; every route that takes one is here.
FORMS: dict[str, dict[str, str]] = {
    "/console/login": {"api_key": "mk_nothing"},
    "/console/logout": {},
    "/console/conversations/{conversation_id}/rollback": {"to_turn": "0"},
    "/console/conversations/{conversation_id}/fork": {"at_turn": "1"},
    "/console/conversations/{conversation_id}/merge": {"from_conversation_id": f"conv_{'1' * 32}"},
    "/console/cubes/{cube_id}/freeze": {"frozen": "yes", "reason": "may I?"},
    "/console/cubes/{cube_id}/transition": {"to": "archived", "reason": "may I?"},
    "/console/cubes/{cube_id}/rollback": {"to_version": "0"},
    "/console/cubes/{cube_id}/fork": {"at_version": "0"},
    "/console/export": {"user_id": "the-same-user"},
    "/console/erasures": {"target": "user_id", "name": "the-same-user"},
    "/console/erasures/{erasure_id}/erase": {"target": "user_id", "name": "the-same-user", "typed": "the-same-user"},
    "/console/erasures/{erasure_id}/look": {"target": "user_id", "name": "the-same-user"},
    "/console/erasures/{erasure_id}/verify": {},
    "/console/jobs/{job_id}/retry": {},
    "/console/policies/{policy_id}/run": {},
    "/console/proposals/{proposal_id}/accept": {},
    "/console/proposals/{proposal_id}/dismiss": {},
    "/console/search": {"query": "may I?", "top_k": "5"},
    "/console/chat": {"user_id": "the-same-user"},
    "/console/chat/{conversation_id}": {"input": "may I?", "max_tokens": "8"},
    "/console/turns/{turn_id}/cancel": {},
}
ELSEWHERE = "/console/{rest:path}"
FILES = "/console/static/{name:path}"


def of_the_console(path: str) -> bool:
    return path == PATH or path.startswith(f"{PATH}/")


def leaves(route: Any) -> list[Any]:
    """The routes of an included router, or the route itself."""
    inner = getattr(route, "original_router", None)
    return [route] if inner is None else [leaf for child in inner.routes for leaf in leaves(child)]


def routes(live: Live) -> set[tuple[str, str]]:
    """(method, path) of every route of the console but its files and what stands where nothing is."""
    found = (leaf for router in live.app.router.routes for leaf in leaves(router))
    return {
        (method, leaf.path)
        for leaf in found if of_the_console(leaf.path) and leaf.path not in (ELSEWHERE, FILES)
        for method in leaf.methods
    }  # fmt: skip


@contextmanager
def entered(live: Live, key: str | None = None) -> Iterator[httpx2.Client]:
    """A client with a session and its token, as a browser of an admin has them."""
    with httpx2.Client(base_url=live.url, timeout=60) as client:
        answer = enter(client, key or live.key)
        assert answer.status_code == 303, answer.text
        token = TOKEN.search(client.get("/console").text)
        assert token is not None
        client.headers["X-CSRF-Token"] = token[1]
        yield client


def enter(client: httpx2.Client, key: str, **more: str) -> httpx2.Response:
    """Sends the form of the entrance."""
    token = VISIT.search(client.get("/console/login").text)
    assert token is not None
    return client.post("/console/login", data={"csrf": token[1], "api_key": key, **more})
