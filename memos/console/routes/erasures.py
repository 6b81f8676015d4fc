"""Erasures: what would go, shown first; then, with what is to be erased typed again, the erasure, and its receipt."""

from typing import Annotated

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response

from memos.console.pages import go, show
from memos.console.routing import ConsoleRoute
from memos.console.session import PATH
from memos.console.visitor import Acting, Visiting, Visitor, filled
from memos.erasure.schemas import Erasure, ErasureCreate, ReceiptCheck
from memos.http.deps import Cursor, ErasureId
from memos.http.routes import erasures
from memos.kit.errors import Conflict, Invalid
from memos.kit.schema import WITHOUT_NUL

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
PER_PAGE = 30
ITEMS = 50
TARGETS = ("user_id", "conversation_id", "turn_id", "cube_id", "version_id")
DERIVED = ("redact", "erase", "list")
Target = Annotated[str | None, Query(max_length=200, pattern=WITHOUT_NUL)]


class NotRetyped(Invalid):
    """What was typed is not what is to be erased."""

    code = "not_retyped"
    hint = "Type it exactly as it stands here. Nothing was erased."


class NoDryRun(Conflict):
    """An erasure begins with a dry run of the same."""

    code = "no_dry_run"
    hint = "Begin with a dry run, look at what would go, and confirm from there."


@router.get("/erasures")
async def listing(request: Request, visitor: Visiting, cursor: Cursor = None) -> Response:
    page = await visitor.call(erasures.listing, limit=PER_PAGE, cursor=cursor)
    return show(request, "erasures.html", page=page)


@router.get("/erasures/new")
async def new(
    request: Request,
    visitor: Visiting,
    user_id: Target = None,
    conversation_id: Target = None,
    turn_id: Target = None,
    cube_id: Target = None,
    version_id: Target = None,
) -> Response:
    given = dict(zip(TARGETS, (user_id, conversation_id, turn_id, cube_id, version_id), strict=True))
    target, name = next(((target, name) for target, name in given.items() if name), ("user_id", ""))
    return show(request, "erasure_new.html", target=target, name=name, targets=TARGETS, derived=DERIVED)


@router.post("/erasures")
async def dry_run(request: Request, visitor: Acting) -> Response:
    """The dry run; its page keeps the name that was given, which the service does not, for the confirmation."""
    target, name = _named(visitor)
    body = _wanted(target, name, visitor.given("derived"), dry=True)
    made = await visitor.answer(erasures.create, body=body, key=visitor.key)
    return _shown(request, await visitor.call(erasures.get, erasure_id=made["id"]), target, name)


@router.post("/erasures/{erasure_id}/erase")
async def erase(request: Request, visitor: Acting, erasure_id: ErasureId) -> Response:
    """What the dry run looked at, once it is typed again. `erasure_id` is the dry run's."""
    target, name = _named(visitor)
    rehearsed = await visitor.call(erasures.get, erasure_id=erasure_id)
    if not rehearsed.dry_run or rehearsed.status != "done" or _subject(visitor, target, name) != rehearsed.subject:
        raise NoDryRun
    if visitor.form.get("typed", "").strip() != name.strip():
        return _shown(request, rehearsed, target, name, NotRetyped())
    body = _wanted(target, name, rehearsed.derived, dry=False)
    made = await visitor.answer(erasures.create, body=body, key=visitor.key)
    return go(f"{PATH}/erasures/{made['id']}", "erasing")


@router.post("/erasures/{erasure_id}/look")
async def look(request: Request, visitor: Acting, erasure_id: ErasureId) -> Response:
    """The dry run's page again, with the name that is to be typed; asked for until it has ended."""
    target, name = _named(visitor)
    found = await visitor.call(erasures.get, erasure_id=erasure_id)
    return _shown(request, found, target, name)


@router.get("/erasures/{erasure_id}")
async def erasure(request: Request, visitor: Visiting, erasure_id: ErasureId) -> Response:
    found = await visitor.call(erasures.get, erasure_id=erasure_id)
    return _shown(request, found, f"{found.target}_id", "" if found.target == "user" else found.subject)


@router.get("/erasures/{erasure_id}/items")
async def items(request: Request, visitor: Visiting, erasure_id: ErasureId, cursor: Cursor = None) -> Response:
    found = await visitor.call(erasures.get, erasure_id=erasure_id)
    page = await visitor.call(erasures.items, erasure_id=erasure_id, limit=ITEMS, cursor=cursor)
    part = request.headers.get("hx-request") is not None
    return show(request, "_items.html" if part else "erasure_items.html", erasure=found, page=page)


@router.post("/erasures/{erasure_id}/verify")
async def verify(request: Request, visitor: Acting, erasure_id: ErasureId) -> Response:
    found = await visitor.call(erasures.get, erasure_id=erasure_id)
    if found.receipt is None:
        raise Conflict("there is no receipt yet", hint="Wait until it is done.")
    checked = await visitor.call(erasures.verify, body=filled(ReceiptCheck, receipt=found.receipt))
    return show(request, "_verified.html" if "hx-request" in request.headers else "verified.html", checked=checked)


@router.get("/erasures/{erasure_id}/receipt.json")
async def receipt(visitor: Visiting, erasure_id: ErasureId) -> Response:
    found = await visitor.call(erasures.get, erasure_id=erasure_id)
    if found.receipt is None:
        raise Conflict("there is no receipt yet", hint="Wait until it is done.")
    headers = {"Content-Disposition": f'attachment; filename="{erasure_id}.receipt.json"'}
    return JSONResponse(found.receipt, headers=headers)


def _shown(request: Request, found: Erasure, target: str, name: str, refused: NotRetyped | None = None) -> Response:
    part = request.headers.get("hx-request") is not None
    template = "_erasure.html" if part else "erasure.html"
    code = 200 if refused is None else refused.status
    return show(request, template, code, erasure=found, target=target, name=name, refused=refused)


def _named(visitor: Visitor) -> tuple[str, str]:
    target, name = visitor.form.get("target", ""), visitor.form.get("name", "")
    if target not in TARGETS or not name.strip():
        raise Invalid("say what is to be erased", hint="Choose what it is, and name it.")
    return target, name.strip() if target != "user_id" else name


def _wanted(target: str, name: str, derived: str | None, *, dry: bool) -> ErasureCreate:
    return filled(ErasureCreate, **{target: name}, derived=derived or "redact", dry_run=dry)


def _subject(visitor: Visitor, target: str, name: str) -> str:
    """As an erasure names it: of a user an internal id."""
    return visitor.runtime.subject_of(str(visitor.principal.tenant_id), name) if target == "user_id" else name
