"""Cubes: the list, and each with what it says, its versions, what happened to it and what was decided about it."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import Response

from memos.console import store
from memos.console.pages import show
from memos.console.routing import ConsoleRoute
from memos.console.session import PATH
from memos.console.visitor import Visiting, Visitor
from memos.cubes import service as cube_service
from memos.cubes import store as cube_store
from memos.cubes.schemas import Cube
from memos.http.deps import CubeId, Cursor
from memos.http.routes import cube_changes, cubes
from memos.http.routes.cubes import Number
from memos.kernel.lifecycle import Lifecycle, legal_from
from memos.kit.pages import decode, page
from memos.kit.schema import WITHOUT_NUL
from memos.policies import service as policies
from memos.policies import store as policy_store

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
PER_PAGE = 40
KINDS = ("plaintext", "activation", "parameter")
LIFECYCLES = ("generated", "activated", "archived", "merged", "expired", "erased")
MOST_WORDS = 20_000


OfUser = Annotated[str | None, Query(max_length=200, pattern=WITHOUT_NUL)]
OfKind = Annotated[str | None, Query(pattern="^(|plaintext|activation|parameter)$")]
OfLife = Annotated[str | None, Query(pattern="^(|generated|activated|archived|merged|expired|erased)$")]
OfConversation = Annotated[str | None, Query(pattern="^(|conv_[0-9a-f]{32})$")]


@router.get("/cubes")
async def listing(
    request: Request,
    visitor: Visiting,
    kind: OfKind = None,
    lifecycle: OfLife = None,
    user_id: OfUser = None,
    conversation_id: OfConversation = None,
    cursor: Cursor = None,
) -> Response:
    chosen = {
        "kind": kind or None,
        "lifecycle": lifecycle or None,
        "user_id": user_id or None,
        "conversation_id": conversation_id or None,
    }
    view = visitor.caller_of(cubes.listing, chosen).tenant_id
    async with visitor.runtime.database.unit_of_work(view) as work:
        rows = await cube_store.list_cubes(work, before=decode(cursor, "cube"), limit=PER_PAGE + 1, **chosen)
        said = await store.words(work, [row["id"] for row in rows])
    found = page(rows, PER_PAGE, "id", cube_service.cube_view)
    return show(request, "cubes.html", page=found, said=said, chosen=chosen, kinds=KINDS, lifecycles=LIFECYCLES)


@router.get("/cubes/{cube_id}")
async def overview(request: Request, visitor: Visiting, cube_id: CubeId) -> Response:
    cube = await visitor.call(cubes.get, cube_id=cube_id)
    assert isinstance(cube, Cube)
    metadata = await visitor.call(cube_changes.metadata, cube_id=cube_id)
    view = visitor.reader("words", cube_id=cube_id).tenant_id
    async with visitor.runtime.database.unit_of_work(view) as work:
        said = await store.words(work, [cube_id], MOST_WORDS + 1)
    words = said.get(cube_id)
    return show(
        request, "cube.html", cube=cube, metadata=metadata, words=words, most_words=MOST_WORDS, tab="overview",
        legal=_legal(cube),
    )  # fmt: skip


@router.get("/cubes/{cube_id}/versions")
async def versions(request: Request, visitor: Visiting, cube_id: CubeId, cursor: Cursor = None) -> Response:
    cube = await visitor.call(cubes.get, cube_id=cube_id)
    found = await visitor.call(cubes.versions, cube_id=cube_id, limit=PER_PAGE, cursor=cursor)
    return show(request, "versions.html", cube=cube, page=found, tab="versions")


@router.get("/cubes/{cube_id}/versions/{number}")
async def version(request: Request, visitor: Visiting, cube_id: CubeId, number: Number) -> Response:
    cube, record, words = await _version(visitor, cube_id, number)
    part = request.headers.get("hx-request") is not None
    return show(
        request, "_version.html" if part else "version.html", cube=cube, record=record, words=words, tab="versions"
    )


async def _version(visitor: Visitor, cube_id: str, number: int) -> tuple[Cube, object, str | None]:
    cube = await visitor.call(cubes.get, cube_id=cube_id)
    view = visitor.caller_of(cubes.version, {"cube_id": cube_id}).tenant_id
    async with visitor.runtime.database.unit_of_work(view) as work:
        row = await cube_service.version_row(work, cube_id, number)
    assert isinstance(cube, Cube)
    return cube, cube_service.record_view(row), row["content"]


@router.get("/cubes/{cube_id}/events")
async def events(
    request: Request, visitor: Visiting, cube_id: CubeId, cursor: Cursor = None, decided: Cursor = None
) -> Response:
    """What happened to it, how it is used, and what policies decided about it."""
    cube = await visitor.call(cubes.get, cube_id=cube_id)
    happened = await visitor.call(cube_changes.events, cube_id=cube_id, limit=PER_PAGE, cursor=cursor)
    metadata = await visitor.call(cube_changes.metadata, cube_id=cube_id)
    async with visitor.runtime.database.unit_of_work(visitor.principal.tenant_id) as work:
        rows = await policy_store.decisions_about(work, cube_id, before=decode(decided, "dec"), limit=PER_PAGE + 1)
    decisions = page(rows, PER_PAGE, "id", policies.decision_view)
    return show(request, "events.html", cube=cube, page=happened, decisions=decisions, metadata=metadata, tab="events")


def _legal(cube: Cube) -> list[str]:
    """Where a person may send it: what is merged or erased is so by other ways."""
    now: Lifecycle = cube.lifecycle  # type: ignore[assignment]
    if now == "generated":
        return []
    return sorted(legal_from(now, frozen=cube.frozen) & {"activated", "archived", "expired"})
