"""In and out: the key, the session, the console's own files, and what stands where nothing is."""

from urllib.parse import urlsplit

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from memos.audit import store as audit
from memos.console.pages import console_of, go, remember, show
from memos.console.routing import ConsoleRoute
from memos.console.session import COOKIE, PATH, VISIT_COOKIE, VISIT_S, ForgedForm, Session
from memos.console.visitor import Acting, Visiting, form_of, refuse_others
from memos.http.deps import RuntimeDep
from memos.keys.service import Principal
from memos.kit.errors import MemosError, NotFound
from memos.runtime import Runtime

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
elsewhere = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
MOST_KEY_CHARS = 400


@router.get("/static/{name:path}")
async def file(request: Request, name: str) -> Response:
    answer = console_of(request).assets.answer(name)
    if answer is None:
        raise NotFound("there is no such file")
    return answer


@router.get("/login")
async def entrance(request: Request, next: str = PATH) -> Response:
    return _entrance(request, next)


def _entrance(request: Request, onward: str, refused: MemosError | None = None) -> Response:
    """A form of this browser's own: nobody else can have it sent, and so put somebody into their own tenant."""
    cookie, token = console_of(request).sessions.visit()
    status = refused.status if refused is not None else 200
    page = show(request, "login.html", status, token=token, next=_local(onward), refused=refused)
    secure = request.url.scheme == "https"
    page.set_cookie(
        VISIT_COOKIE, cookie, max_age=VISIT_S, path=f"{PATH}/login", secure=secure, httponly=True, samesite="strict"
    )
    return page


@router.post("/login")
async def enter(request: Request, runtime: RuntimeDep) -> Response:
    form = await form_of(request)
    sessions, onward = console_of(request).sessions, _local(form.get("next", PATH))
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForgedForm
    sessions.check_visit(request.cookies.get(VISIT_COOKIE), form.get("csrf"))
    try:
        principal = await runtime.keys.authenticate(f"Bearer {form.get('api_key', '').strip()[:MOST_KEY_CHARS]}")
        refuse_others(principal)
    except MemosError as error:
        return _entrance(request, onward, error)
    session = sessions.begin(principal.tenant_id, principal.key_id)
    await _note(runtime, principal, session, "console.enter")
    page = RedirectResponse(onward, 303)
    remember(page, request, sessions, session)
    page.delete_cookie(VISIT_COOKIE, path=f"{PATH}/login")
    return page


@router.post("/logout")
async def leave(request: Request, visitor: Acting) -> Response:
    console_of(request).sessions.end(visitor.session)
    await _note(visitor.runtime, visitor.principal, visitor.session, "console.leave")
    page = go(f"{PATH}/login")
    page.delete_cookie(COOKIE, path=PATH)
    return page


async def _note(runtime: Runtime, principal: Principal, session: Session, action: str) -> None:
    async with runtime.database.unit_of_work(str(principal.tenant_id)) as work:
        details = {"session_id": session.id}
        audit.insert(
            work, kind="change", action=action, by=principal.key_id, actors=(), subjects=[principal.key_id],
            details=details,
        )  # fmt: skip


@router.get("/help")
async def help_page(request: Request, visitor: Visiting) -> Response:
    return show(request, "help.html")


@elsewhere.api_route("/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
async def nothing(request: Request, rest: str, visitor: Visiting) -> Response:
    raise NotFound("there is nothing at this address")


def _local(address: str) -> str:
    """A page of the console; anything else leads to its first one."""
    parts = urlsplit(address)
    whole = not parts.scheme and not parts.netloc and "\\" not in address
    inside = parts.path == PATH or parts.path.startswith(f"{PATH}/")
    return address if whole and inside and address.isprintable() else PATH
