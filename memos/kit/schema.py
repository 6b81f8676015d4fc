"""The base of every request and answer body. Requests refuse unknown fields, and text that Postgres cannot hold (NUL,
lone surrogates), anywhere in the body: a 422 that names the field, never a 500 and never a silent repair (P9).
"""

from collections.abc import Iterator
from typing import Annotated, Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, model_validator

T = TypeVar("T")
MAX_JSON_DEPTH = 32

Name = Annotated[str, StringConstraints(min_length=1, max_length=200)]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=200)]
Text = Annotated[str, StringConstraints(min_length=1)]


def unstorable(value: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """Names every string in a JSON value that cannot be stored."""
    if depth > MAX_JSON_DEPTH:
        yield f"{path or 'body'} is nested deeper than {MAX_JSON_DEPTH} levels"
    elif isinstance(value, str):
        if "\x00" in value:
            yield f"{path or 'text'} contains a NUL character"
        elif any("\ud800" <= character <= "\udfff" for character in value):
            yield f"{path or 'text'} contains a lone surrogate, which is not valid Unicode"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from unstorable(key, f"a key in {path or 'the body'}", depth + 1)
            yield from unstorable(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unstorable(item, f"{path}[{index}]", depth + 1)


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid")

    @model_validator(mode="before")
    @classmethod
    def _storable(cls, value: Any) -> Any:
        wrong = next(unstorable(value), None)
        if wrong is not None:
            raise ValueError(wrong.encode("utf-8", "replace").decode())
        return value


class Answer(BaseModel):
    """An answer body; built from our own values."""

    model_config = ConfigDict(extra="forbid", from_attributes=True)


class Page(Answer, Generic[T]):
    """One page of a list."""

    items: list[T]
    next_cursor: str | None = Field(None, description="Pass it as `cursor` for the next page; null at the end.")


class Problem(BaseModel):
    """An RFC 9457 problem document: what went wrong and what to change."""

    model_config = ConfigDict(extra="allow")

    type: str
    title: str
    status: int
    code: str = Field(description="Stable; match on this.")
    detail: str
    hint: str = Field(description="What to do about it.")
    instance: str | None = None
    request_id: str | None = None
    errors: list[dict[str, Any]] | None = None
    context: dict[str, Any] | None = None
