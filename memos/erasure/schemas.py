"""Erasures over REST."""

from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import ConfigDict, Field, StringConstraints, model_validator

from memos.kit.schema import Answer, Body, UserId

Derived = Literal["redact", "erase", "list"]
Status = Literal["queued", "running", "done", "failed"]
_ID = r"_[0-9a-f]{32}$"
TARGETS = ("user_id", "conversation_id", "turn_id", "cube_id", "version_id")


def _named(prefix: str) -> Any:
    return Annotated[str, StringConstraints(pattern=f"^{prefix}{_ID}")]


def _exactly_one(schema: dict[str, Any]) -> None:
    """What the document says of it: a target is named, and is not null."""
    for name in TARGETS:
        given = schema["properties"][name]
        named = next(one for one in given.pop("anyOf") if one.get("type") != "null")
        schema["properties"][name] = {"title": given["title"], **named}
    schema["oneOf"] = [{"required": [name]} for name in TARGETS]
    schema["examples"] = [{"conversation_id": f"conv_{'0' * 32}", "dry_run": True}]


class ErasureCreate(Body):
    """Exactly one thing is named. A state's cube stands for its conversation, a state's version for the turn that it
    took in."""

    model_config = ConfigDict(json_schema_extra=_exactly_one)

    user_id: UserId | None = None
    conversation_id: _named("conv") | None = None  # type: ignore[valid-type]
    turn_id: _named("turn") | None = None  # type: ignore[valid-type]
    cube_id: _named("cube") | None = None  # type: ignore[valid-type]
    version_id: _named("ver") | None = None  # type: ignore[valid-type]
    dry_run: bool = Field(False, description="Only says what would be reached.")
    derived: Derived = Field(
        "redact",
        description="Later answers that quote what is erased. redact: the answer goes. erase: its whole turn goes. "
        "list: it is only listed. States, deltas and caches that saw it go in any case.",
    )

    @model_validator(mode="after")
    def _one(self) -> "ErasureCreate":
        named = [name for name in TARGETS if name in self.model_fields_set]
        if len(named) != 1 or getattr(self, named[0]) is None:
            raise ValueError(f"name exactly one of {', '.join(TARGETS)}")
        return self


class ErasureItem(Answer):
    """One thing that is reached. Ids and numbers, never what was said."""

    store: str
    id: str
    action: Literal["erase", "redact", "rebuild", "list"]
    why: str
    details: dict[str, Any]
    done_at: datetime | None


class Erasure(Answer):
    id: str
    target: Literal["user", "conversation", "turn", "cube", "version"]
    subject: str = Field(description="The id that was named; of a user an internal one.")
    derived: Derived
    dry_run: bool
    status: Status
    step: str = Field(description="hold, confirm, plan, erase, replay, verify, physical, end.")
    plan: dict[str, dict[str, int]] = Field(description="By store and action, how many things are reached.")
    done: int = Field(description="How many of them are done.")
    receipt: dict[str, Any] | None = Field(description="Signed; in the stages logical and, where possible, physical.")
    error: dict[str, Any] | None
    requested_by: str
    created_at: datetime
    logical_at: datetime | None
    physical_at: datetime | None


class ReceiptCheck(Body):
    receipt: dict[str, Any]


class ReceiptChecked(Answer):
    """`ok` when every signature holds, nothing that was erased is left, and every chain verifies."""

    ok: bool
    erasure_id: str | None
    signatures: dict[str, bool] = Field(description="By stage.")
    residue: list[str]
    broken_chains: list[str]
    checked: int = Field(description="How many things were looked for.")
