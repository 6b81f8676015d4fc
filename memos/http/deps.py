"""What routes ask for: the runtime, the caller, the idempotency claim, one page's bounds."""

from collections.abc import Awaitable, Callable
from typing import Annotated, Any, cast

from fastapi import Depends, Header, Path, Query, Request
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from memos.idempotency.service import Claim
from memos.kernel.canonical import canonical_json
from memos.keys.schemas import Scope
from memos.keys.service import Principal
from memos.kit.schema import WITHOUT_NUL, Moment
from memos.runtime import Runtime

MOST_PER_PAGE = 200


def runtime_of(request: Request) -> Runtime:
    return cast(Runtime, request.app.state.runtime)


RuntimeDep = Annotated[Runtime, Depends(runtime_of)]


# Only says in the OpenAPI document how a key is sent; KeyService reads the header.
BEARER = HTTPBearer(auto_error=False, scheme_name="ApiKey", description="An API key: `mk_...`.")


def _caller(scope: Scope) -> Callable[..., Awaitable[Principal]]:
    async def authenticated(
        runtime: RuntimeDep,
        documented: Annotated[Any, Depends(BEARER)],
        authorization: Annotated[str | None, Header(include_in_schema=False)] = None,
    ) -> Principal:
        principal = await runtime.keys.authenticate(authorization)
        principal.require(scope)
        return principal

    return authenticated


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
PolicyId = Annotated[str, Path(pattern="^rule" + ID)]
RunId = Annotated[str, Path(pattern="^run" + ID)]
ProposalId = Annotated[str, Path(pattern="^prop" + ID)]


def claim_for(request: Request, runtime: Runtime, key: str | None, body: BaseModel | None) -> Claim:
    """What the key is claimed for: this method, path and body, whatever the body's spacing or order. The digest is
    keyed: what was asked for may be erased, and nobody shall test a guess at it."""
    wanted: dict[str, Any] = {"method": request.method, "path": request.url.path}
    # A field sent as its default is one left out, so that a retry is still known after an upgrade that adds fields.
    wanted["body"] = body.model_dump(mode="json", exclude_defaults=True) if body is not None else None
    digest = runtime.keys.digest_of(canonical_json(wanted)).hex()
    return Claim(key=key, request_sha256=digest, ttl_s=runtime.settings.idempotency_ttl_s)


ALWAYS = (400, 401, 403, 413, 422, 503)
WITHOUT_KEY = (400, 413)


def problems(*statuses: int, always: tuple[int, ...] = ALWAYS) -> dict[int | str, dict[str, Any]]:
    """The problem documents a route may answer with, for the OpenAPI document. Where something can conflict, it can also
    be gone: erased."""
    content = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
    meaning = {
        400: "Malformed", 401: "No valid key", 403: "The key lacks the scope", 404: "No such thing", 409: "Conflict",
        410: "Erased", 413: "Too large", 422: "Does not fit the contract", 429: "Too much at once", 503: "Try again",
    }  # fmt: skip
    all_of_them = {*always, *statuses, *((410,) if 409 in statuses else ())}
    return {status: {"description": meaning[status], "content": content} for status in sorted(all_of_them)}
