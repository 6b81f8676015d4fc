"""A playground for recall: a question, whose memory is asked, and what is found, with each signal's part of the score.
The question travels in a form and not in the address: addresses are kept in places where no words of a user belong."""

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from memos.console.pages import show
from memos.console.routing import ConsoleRoute
from memos.console.session import PATH
from memos.console.visitor import Acting, Visiting, filled
from memos.http.routes import memories
from memos.kit.errors import Invalid
from memos.kit.schema import WITHOUT_NUL
from memos.memories.schemas import MemorySearch

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
FIELDS = ("query", "user_id", "agent_id", "top_k", "threshold", "filters", "history")
OfUser = Annotated[str | None, Query(max_length=200, pattern=WITHOUT_NUL)]


@router.get("/search")
async def playground(request: Request, visitor: Visiting, user_id: OfUser = None) -> Response:
    asked = dict.fromkeys(FIELDS, "") | {"user_id": user_id or "", "top_k": "10"}
    return show(request, "search.html", asked=asked, found=None)


@router.post("/search")
async def search(request: Request, visitor: Acting) -> Response:
    asked = {name: visitor.form.get(name, "") for name in FIELDS}
    body = filled(
        MemorySearch,
        query=asked["query"],
        user_id=visitor.given("user_id"),
        agent_id=visitor.given("agent_id"),
        top_k=visitor.number("top_k"),
        threshold=_threshold(visitor.given("threshold")),
        filters=_filters(visitor.given("filters")),
        history=asked["history"] == "yes",
        explain=True,
    )
    found = await visitor.call(memories.search, body=body)
    most = max((abs(part) for hit in found.results for part in (hit.signals or {}).values()), default=1.0)
    part = request.headers.get("hx-request") is not None
    return show(request, "_hits.html" if part else "search.html", asked=asked, found=found, most=most or 1.0)


def _threshold(written: str | None) -> float | None:
    if written is None:
        return None
    try:
        return float(written)
    except ValueError as error:
        raise Invalid("the threshold is a number", hint="Go back and put one in, or leave it empty.") from error


def _filters(written: str | None) -> dict[str, Any] | None:
    if written is None:
        return None
    try:
        found = json.loads(written)
    except ValueError as error:
        raise Invalid(f"the filters are not JSON: {error}", hint='Such as {"tags": {"contains": "pets"}}.') from error
    if not isinstance(found, dict):
        raise Invalid("the filters are an object", hint='Such as {"tags": {"contains": "pets"}}.')
    return found
