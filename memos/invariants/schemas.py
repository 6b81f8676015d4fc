"""Invariants over REST."""

from datetime import datetime

from pydantic import Field

from memos.kit.schema import Answer


class FindingView(Answer):
    subject: str = Field(description="The id of what is wrong.")
    detail: str
    since: datetime = Field(description="When it was first found.")


class InvariantState(Answer):
    """Something that must always be true, and whether it is."""

    name: str
    what: str
    checked_at: datetime | None = Field(description="Null: not yet.")
    took_ms: float | None
    error: str | None = Field(description="The code of what kept the last run from looking; findings are then older.")
    findings: int
    examples: list[FindingView] = Field(description="The oldest of them.")
