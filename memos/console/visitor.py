"""Who looks at a page, and the one way from a page to the service: the function behind a REST route.

A page that changes or shows something calls that function (`Visitor.call`), with the caller that the route itself would
have been given: the same actor, the same bodies, the same claim of an idempotency key, and the same row in the audit
log, by the route's name, which adds that it came through the console. There is no second mechanism to keep in step.
What only the console asks (its own queries in `memos.console.store`) is recorded as `console.*`.
"""

import inspect
import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Annotated, Any, TypeVar
from urllib.parse import parse_qsl

from fastapi import Depends, Request, Response
from fastapi.routing import APIRoute
from pydantic import BaseModel, ValidationError

from memos.audit.recording import Recording, subjects_in
from memos.console.session import COOKIE, ForgedForm, NoSession, Session, Sessions
from memos.http.deps import READS_BY_POST, WITHOUT_CONTENT, RuntimeDep, action_of
from memos.http.routes import (
    archives,
    audit,
    consolidations,
    conversations,
    cube_changes,
    cubes,
    deltas,
    erasures,
    health,
    jobs,
    memories,
    policies,
    timemachine,
    turns,
)
from memos.keys.service import Principal
from memos.kit.actor import TenantView
from memos.kit.errors import Invalid, Unauthorized
from memos.runtime import Runtime

T = TypeVar("T")
B = TypeVar("B", bound=BaseModel)
MOST_FIELDS = 200
REST: dict[Any, APIRoute] = {
    route.endpoint: route
    for module in (
        archives, audit, consolidations, conversations, cube_changes, cubes, deltas, erasures, health, jobs, memories,
        policies, timemachine, turns,
    )
    for route in module.router.routes if isinstance(route, APIRoute)
}  # fmt: skip


class NotAnAdmin(Unauthorized):
    """The console is for admins: this key is not one's."""

    code = "not_an_admin"
    hint = "Use a key with the scope admin that is not limited to a user or an agent."


@dataclass(eq=False, slots=False)
class Visitor:
    """One request of somebody with a session. `form` holds what was sent, once its token was found good."""

    request: Request
    runtime: Runtime
    session: Session
    principal: Principal
    sessions: Sessions
    form: Mapping[str, str] = field(default_factory=dict)

    @cached_property
    def token(self) -> str:
        return self.sessions.token(self.session)

    def caller_of(self, endpoint: Callable[..., Any], asked: Mapping[str, Any] | None = None) -> Principal:
        """The caller as the route of this function would be given it, with its recording."""
        route = REST[endpoint]
        reading = route.methods == {"GET"} or route.path in READS_BY_POST
        if reading and route.tags[0] in WITHOUT_CONTENT:
            return self._recorded(None)
        return self._recorded(self._recording(action_of(route), reading=reading, asked=asked or {}))

    def reader(self, action: str, **asked: Any) -> Principal:
        """For a question that only the console asks, recorded as a reading."""
        return self._recorded(self._recording(f"console.{action}", reading=True, asked=asked))

    async def call(self, endpoint: Callable[..., Awaitable[T]], **given: Any) -> T:
        """What the route's function answers; nothing is handed on whose row in the audit log is not committed."""
        named = {name: value for name, value in given.items() if isinstance(value, str | list)}
        caller = self.caller_of(endpoint, named)
        wanted = inspect.signature(endpoint).parameters
        context = {"request": self.request, "runtime": self.runtime, "caller": caller}
        self.request.state.principal = caller
        answer = await endpoint(**{name: value for name, value in context.items() if name in wanted}, **given)
        recording = caller.tenant_id.witnesses if isinstance(caller.tenant_id, TenantView) else None
        if isinstance(recording, Recording):
            await recording.make_sure(self.runtime.database)
        return answer

    async def answer(self, endpoint: Callable[..., Awaitable[Response]], **given: Any) -> dict[str, Any]:
        """The same of a route that answers with bytes, which are JSON."""
        found: dict[str, Any] = json.loads(bytes((await self.call(endpoint, **given)).body))
        return found

    def _recorded(self, recording: Recording | None) -> Principal:
        view = TenantView(str(self.principal.tenant_id), self.principal.actor, recording)
        return replace(self.principal, tenant_id=view)

    def _recording(self, action: str, *, reading: bool, asked: Mapping[str, Any]) -> Recording:
        digest, tenant_id = self.runtime.keys.digest_of, str(self.principal.tenant_id)
        return Recording(
            tenant_id=tenant_id,
            kind="read" if reading else "change",
            action=action,
            by=self.principal.key_id,
            digest=digest,
            subjects=[found for name, value in asked.items() for found in subjects_in(digest, tenant_id, name, value)],
            details={"via": "console", "session_id": self.session.id},
        )

    def given(self, name: str) -> str | None:
        """A field of the form; None when it is missing or empty."""
        return self.form.get(name, "").strip() or None

    def number(self, name: str) -> int:
        value = self.given(name)
        if value is None or not value.removeprefix("-").isdecimal() or len(value) > 12:
            raise Invalid(f"{name} is a whole number", hint="Go back and put one in.")
        return int(value)

    @property
    def key(self) -> str | None:
        """The idempotency key that a form was made with: sent twice, it takes effect once."""
        key = self.form.get("key", "")
        if key and (len(key) > 64 or not key.isalnum()):
            raise ForgedForm
        return key or None


def filled(model: type[B], **values: Any) -> B:
    """A request body from a form's fields; those that are None are left out. Raises Invalid in a person's words."""
    try:
        return model.model_validate({name: value for name, value in values.items() if value is not None})
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise Invalid(
            f"{where}: {first['msg']}" if where else str(first["msg"]), hint="Go back and mend it."
        ) from error


async def form_of(request: Request) -> dict[str, str]:
    """The fields of a form as browsers send one without files."""
    sent = (await request.body()).decode("utf-8", "replace")
    return dict(parse_qsl(sent, keep_blank_values=True, max_num_fields=MOST_FIELDS, errors="replace"))


async def visiting(request: Request, runtime: RuntimeDep) -> Visitor:
    """Whoever has a session; raises NoSession or NotAnAdmin."""
    sessions: Sessions = request.app.state.console.sessions
    session = sessions.open(request.cookies.get(COOKIE))
    try:
        principal = await runtime.keys.holder(session.tenant_id, session.key_id)
    except Unauthorized as error:
        raise NoSession("the key that began this session is revoked") from error
    refuse_others(principal)
    request.state.visitor = visitor = Visitor(request, runtime, session, principal, sessions)
    return visitor


async def acting(request: Request, visitor: Annotated[Visitor, Depends(visiting)]) -> Visitor:
    """The same, of a request that changes something: it carries the session's token, in the form or a header."""
    visitor.form = await form_of(request)
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise ForgedForm
    visitor.sessions.check(visitor.session, request.headers.get("x-csrf-token") or visitor.form.get("csrf"))
    return visitor


def refuse_others(principal: Principal) -> None:
    if principal.actor.kind != "admin" or "admin" not in principal.scopes:
        raise NotAnAdmin


Visiting = Annotated[Visitor, Depends(visiting)]
Acting = Annotated[Visitor, Depends(acting)]
