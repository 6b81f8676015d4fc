"""What the service answers about grants, tokens and the audit log, as values; see `models` for the base of all."""

from datetime import datetime
from typing import Any

from pydantic import Field

from memos.sdk.models import Model


class Grant(Model):
    """Who else may read or change a cube."""

    id: str
    cube_id: str
    grantee: dict[str, str]
    permission: str
    created_at: datetime
    created_by: str
    revoked_at: datetime | None = None


class NewToken(Model):
    """A token just made, limited to one user. `token` is the secret itself, shown once."""

    id: str
    token: str
    user_id: str
    agent_id: str | None = None
    roles: list[str] = Field(default_factory=list)
    expires_at: datetime


class AuditEntry(Model):
    """What was done, by whom, to what; users and agents are digests. `seq`: its place in the chain, if it has one."""

    id: str
    at: datetime
    kind: str
    action: str
    by: str
    actors: list[str] = Field(default_factory=list)
    subjects: list[str] = Field(default_factory=list)
    details: dict[str, Any] = Field(default_factory=dict)
    seq: int | None = None


class ChainPlace(Model):
    """A link of the audit chain."""

    seq: int
    hash: str


class BrokenLink(Model):
    """The first place at which the audit chain is not whole."""

    seq: int
    audit_id: str | None = None
    what: str


class Unchained(Model):
    """Audit rows that are not in the chain yet."""

    count: int
    oldest_at: datetime | None = None


class AuditVerification(Model):
    """What a walk over the audit chain found. Not `complete`: go on after `head`."""

    ok: bool
    complete: bool
    checked: int
    head: ChainPlace | None = None
    broken: BrokenLink | None = None
    unchained: Unchained | None = None
    witnessed: ChainPlace | None = None
