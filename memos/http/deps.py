"""What routes ask for: the runtime, the caller, the idempotency claim, one page's bounds."""

from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Path, Query, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from memos.access import service as access
from memos.audit.recording import Recording, subjects_in
from memos.audit.service import subject
from memos.idempotency.service import Claim, erased_key
from memos.kernel.canonical import canonical_json
from memos.keys.schemas import Scope
from memos.keys.service import Principal
from memos.kit.actor import TenantView
from memos.kit.errors import Forbidden
from memos.kit.schema import WITHOUT_NUL, Moment
from memos.runtime import Runtime

MOST_PER_PAGE = 200


def runtime_of(request: Request) -> Runtime:
    return cast(Runtime, request.app.state.runtime)


RuntimeDep = Annotated[Runtime, Depends(runtime_of)]


# Only says in the OpenAPI document how a key is sent; KeyService reads the header.
BEARER = HTTPBearer(auto_error=False, scheme_name="ApiKey", description="An API key: `mk_...`.")


# What whoever is limited to one user may call: the nouns whose every row the database guards for the actor. All else is
# the application's and the admin's.
OPEN_TO_PERSONS = (
    "/v1/conversations",
    "/v1/turns",
    "/v1/chat/",
    "/v1/models",
    "/memories",
    "/search",
    "/v1/cubes",
    "/v1/memories",
)
# Nouns that hold no content of users: an admin's reading of these is not audited.
WITHOUT_CONTENT = frozenset({"embedder", "jobs", "keys", "health", "audit", "models", "policies"})
# Calls that only read, though they are sent with POST: in the log as readings, whoever sends them.
READS_BY_POST = frozenset({"/search", "/v1/cubes/export", "/v1/erasures/verify", "/v1/memories/search"})


class NotForPersons(Forbidden):
    """This call is not for whoever is limited to one user."""

    code = "not_for_persons"
    hint = "Send it with the application's own key, without X-Memos-User and X-Memos-Agent."


def _caller(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    async def authenticated(
        request: Request,
        runtime: RuntimeDep,
        documented: Annotated[Any, Depends(BEARER)],
        authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> Principal:
        principal = await runtime.keys.authenticate(authorization)
        principal.require(scope)
        user = access.named(request.headers.getlist("x-memos-user"))
        agent = access.named(request.headers.getlist("x-memos-agent"))
        principal = access.acting(principal, user, agent)
        route = request.scope["route"]
        if principal.actor.kind == "person" and not route.path.startswith(OPEN_TO_PERSONS):
            raise NotForPersons
        request.state.recording = recording = _recording(request, runtime, principal)
        view = TenantView(principal.tenant_id, principal.actor, recording)
        request.state.principal = principal = replace(principal, tenant_id=view)
        return principal

    return authenticated


def action_of(route: Any) -> str:
    """What the audit log calls a route: its noun and its function's name."""
    return f"{route.tags[0]}.{route.name}"


def _recording(request: Request, runtime: Runtime, caller: Principal) -> Recording | None:
    """What will tell of this request in the audit log: every change, and every reading of content by an admin's key."""
    route = request.scope["route"]
    changing = request.method not in ("GET", "HEAD")
    reading = "admin" in caller.scopes and route.tags[0] not in WITHOUT_CONTENT
    if not changing and not reading:
        return None
    named = (("user", caller.actor.user_id), ("agent", caller.actor.agent_id))
    digest, tenant_id = runtime.keys.digest_of, str(caller.tenant_id)
    asked = [*request.path_params.items(), *request.query_params.items()]
    return Recording(
        tenant_id=tenant_id,
        kind="change" if changing and route.path not in READS_BY_POST else "read",
        action=action_of(route),
        by=caller.key_id,
        digest=digest,
        actors=[subject(digest, tenant_id, kind, name) for kind, name in named if name is not None],
        subjects=[found for name, value in asked for found in subjects_in(digest, tenant_id, name, value)],
        details={"token_id": caller.token_id} if caller.token_id else {},
    )


Reader = Annotated[Principal, Depends(_caller("read"))]
App = Annotated[Principal, Depends(_caller("app"))]
Admin = Annotated[Principal, Depends(_caller("admin"))]
Operator = Annotated[Principal, Depends(_caller("operator"))]

IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        pattern=r"^[\x21-\x7e]{1,255}$",
        description="One key, one effect: a retry with the same key and body gets the stored answer.",
    ),
]
Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE)]
Cursor = Annotated[str | None, Query(max_length=200, description="`next_cursor` of the page before.")]

AsOf = Annotated[
    Moment | None, Query(description="As it was at this moment that is over: what memos knew then (system time).")
]
ValidAt = Annotated[
    Moment | None, Query(description="What was so at this moment, as known at `as_of` (world time); plaintext only.")
]

ID = r"_[0-9a-f]{32}$"
ConversationId = Annotated[str, Path(pattern="^conv" + ID)]
TurnId = Annotated[str, Path(pattern="^turn" + ID)]
UserOf = Annotated[str, Path(min_length=1, max_length=200, pattern=WITHOUT_NUL)]
CubeId = Annotated[str, Path(pattern="^cube" + ID)]
JobId = Annotated[str, Path(pattern="^job" + ID)]
ErasureId = Annotated[str, Path(pattern="^erase" + ID)]
KeyId = Annotated[str, Path(pattern="^key" + ID)]
GrantId = Annotated[str, Path(pattern="^grant" + ID)]
PolicyId = Annotated[str, Path(pattern="^rule" + ID)]
RunId = Annotated[str, Path(pattern="^run" + ID)]
ProposalId = Annotated[str, Path(pattern="^prop" + ID)]


def claim_for(request: Request, runtime: Runtime, key: str | None, body: BaseModel | None) -> Claim:
    """What the key is claimed for: this method, path and body, whatever the body's spacing or order. The digest is
    keyed: what was asked for may be erased, and nobody shall test a guess at it."""
    if key is None:
        return Claim(key=None, request_sha256="", ttl_s=runtime.settings.idempotency_ttl_s)
    wanted: dict[str, Any] = {"method": request.method, "path": request.url.path}
    # A field sent as its default is one left out, so that a retry is still known after an upgrade that adds fields.
    wanted["body"] = body.model_dump(mode="json", exclude_defaults=True) if body is not None else None
    digest = runtime.keys.digest_of(canonical_json(wanted)).hex()
    actor = request.state.principal.actor
    if actor.kind == "person":
        # Everybody who is limited has keys of their own: one that somebody else used as well opens no answer of theirs.
        whose = canonical_json(["idempotency", actor.user_id, actor.agent_id, key])
        key = runtime.keys.digest_of(whose).hex()
    erased = erased_key(runtime.keys.digest_of, key)
    return Claim(key=key, request_sha256=digest, ttl_s=runtime.settings.idempotency_ttl_s, erased_key=erased)


ALWAYS = (400, 401, 403, 413, 422, 503)
WITHOUT_KEY = (400, 413)


def problems(*statuses: int, always: tuple[int, ...] = ALWAYS) -> dict[int | str, dict[str, Any]]:
    """The problem documents a route may answer with, for the OpenAPI document. Where something can conflict, it can
    also be gone: erased."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    meaning = {
        400: "Malformed", 401: "No valid key", 403: "The key lacks the scope", 404: "No such thing", 409: "Conflict",
        410: "Erased", 413: "Too large", 422: "Does not fit the contract", 429: "Too much at once", 503: "Try again",
    }  # fmt: skip
    all_of_them = {*always, *statuses, *((410,) if 409 in statuses else ())}
    return {status: {"description": meaning[status], "content": content} for status in sorted(all_of_them)}
