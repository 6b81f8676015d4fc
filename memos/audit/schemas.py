"""The audit log over REST."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from memos.kit.schema import Answer

Kind = Literal["read", "change"]


class AuditEntry(Answer):
    """What was done, by whom, to what. Users and agents stand here as digests that only this service can make."""

    id: str
    at: datetime
    kind: Kind
    action: str = Field(description="The call, or the task: `cubes.payload`, `keys.revoke`.")
    by: str = Field(description="The id of a key, or the name of a task.")
    actors: list[str] = Field(description="On whose behalf: digests of a user and an agent.")
    subjects: list[str] = Field(description="Ids of what was read or changed, and digests of users.")
    details: dict[str, Any]
    seq: int | None = Field(description="Its place in the chain; null until it is chained.")


class ChainPlace(Answer):
    seq: int
    hash: str


class BrokenLink(Answer):
    """The first place at which the chain is not whole."""

    seq: int
    audit_id: str | None
    what: str


class Unchained(Answer):
    """Rows that are not in the chain yet; those of the last moments always are."""

    count: int
    oldest_at: datetime | None


class AuditVerification(Answer):
    ok: bool
    complete: bool = Field(description="False: there is more; go on with `after=SEQ:HASH` of `head`.")
    checked: int
    head: ChainPlace | None = Field(
        description="The last whole link; keep it, and verify from it, or against it, later."
    )
    broken: BrokenLink | None
    unchained: Unchained | None = Field(description="Null until the walk is complete.")
    witnessed: ChainPlace | None = Field(description="The newest head noted outside of the database.")
