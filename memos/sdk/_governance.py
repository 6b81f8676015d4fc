"""The calls of grants, tokens and the audit log, as values, and bound to a client; as `_calls` and `_resources`."""

from collections.abc import Iterable

from memos.sdk import governance, models
from memos.sdk._calls import Call, _get, _given, _path, _post, reads
from memos.sdk._resources import _async_pages, _AsyncResource, _awaits, _pages, _Resource, _sends


def grants_create(
    cube_id: str,
    *,
    user: str | None = None,
    agent: str | None = None,
    role: str | None = None,
    permission: str = "read",
    idempotency_key: str | None = None,
) -> Call[governance.Grant]:
    """Lets a user, an agent or a role read a cube, or change it with `permission="write"`; name one of the three."""
    body = {"grantee": _given(user=user, agent=agent, role=role), "permission": permission}
    return _post(reads(governance.Grant), _path("v1", "cubes", cube_id, "grants"), body, idempotency_key)


def grants_list(
    cube_id: str, *, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[governance.Grant]]":
    """Iterates over the grants of a cube, those taken back included."""
    path = _path("v1", "cubes", cube_id, "grants")
    return _get(reads(models.Page[governance.Grant]), path, limit=page_size, cursor=cursor)


def grants_revoke(cube_id: str, grant_id: str) -> Call[governance.Grant]:
    """Takes a grant back."""
    return Call("DELETE", _path("v1", "cubes", cube_id, "grants", grant_id), reads(governance.Grant))


def tokens_create(
    user_id: str, *, agent_id: str | None = None, roles: Iterable[str] | None = None, ttl_s: int | None = None
) -> Call[governance.NewToken]:
    """Makes a token limited to one user, for a browser. It ends after `ttl_s` seconds, or with the key that made it."""
    held = None if roles is None else list(roles)
    body = _given(user_id=user_id, agent_id=agent_id, roles=held, ttl_s=ttl_s)
    return _post(reads(governance.NewToken), "/v1/tokens", body, None)


def audit_list(
    *,
    kind: str | None = None,
    actor: str | None = None,
    action: str | None = None,
    subject: str | None = None,
    user_id: str | None = None,
    since: str | None = None,
    until: str | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> "Call[models.Page[governance.AuditEntry]]":
    """Iterates over the audit log, newest first. `user_id`: what names this user, or touched what is theirs. `since`
    and `until` are moments of RFC 3339."""
    return _get(
        reads(models.Page[governance.AuditEntry]), "/v1/audit", kind=kind, actor=actor, action=action, subject=subject,
        user_id=user_id, since=since, until=until, limit=page_size, cursor=cursor,
    )  # fmt: skip


def audit_verify(*, after: str | None = None, most: int | None = None) -> Call[governance.AuditVerification]:
    """Walks the audit chain, from the start or from a `SEQ:HASH` that you trust, over at most so many links."""
    return _get(reads(governance.AuditVerification), "/v1/audit/verify", after=after, most=most)


class Grants(_Resource):
    """Who else may read or change a cube."""

    create = _sends(grants_create)
    list = _pages(grants_list)
    revoke = _sends(grants_revoke)


class AsyncGrants(_AsyncResource):
    """Who else may read or change a cube."""

    create = _awaits(grants_create)
    list = _async_pages(grants_list)
    revoke = _awaits(grants_revoke)


class Tokens(_Resource):
    """Tokens limited to one user."""

    create = _sends(tokens_create)


class AsyncTokens(_AsyncResource):
    """Tokens limited to one user."""

    create = _awaits(tokens_create)


class Audit(_Resource):
    """The audit log; for admins."""

    list = _pages(audit_list)
    verify = _sends(audit_verify)


class AsyncAudit(_AsyncResource):
    """The audit log; for admins."""

    list = _async_pages(audit_list)
    verify = _awaits(audit_verify)
