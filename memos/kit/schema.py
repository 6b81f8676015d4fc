"""The base of every request and answer body. Requests refuse unknown fields, and text that Postgres cannot hold (NUL,
lone surrogates, numbers without a JSON form), anywhere in the body: a 422 that names the field, never a 500 and never a
silent repair (P9). Types are strict for the same reason: "5" is no number and 1 is no truth.
"""

import math
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Annotated, Any, Generic, TypeVar

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    StringConstraints,
    model_validator,
)

T = TypeVar("T")
MAX_JSON_DEPTH = 32

WITHOUT_NUL = r"^[^\x00]*$"  # said in the OpenAPI document; `unstorable` looks everywhere else, too
Name = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=WITHOUT_NUL)]
UserId = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=WITHOUT_NUL)]
Title = Annotated[str, StringConstraints(max_length=500, pattern=WITHOUT_NUL)]
Text = Annotated[str, StringConstraints(min_length=1, pattern=WITHOUT_NUL)]
AnyText = Annotated[str, StringConstraints(pattern=WITHOUT_NUL)]


def _written(value: Any) -> Any:
    if not isinstance(value, str) or not re.match(r"\d{4}-\d\d-\d\d[Tt ]", value):
        raise ValueError("must be a date and time of RFC 3339, such as 2026-01-31T12:00:00Z")
    return value


def _in_calendar(moment: datetime) -> datetime:
    """Any time zone may move the moment by a day, and it must still have a year that Python and Postgres both know."""
    if not 2 <= moment.year <= 9998:
        raise ValueError("must lie between the years 2 and 9998")
    return moment.astimezone(UTC)


# A moment as callers write it, with its offset from UTC.
Moment = Annotated[AwareDatetime, Field(strict=False), BeforeValidator(_written), AfterValidator(_in_calendar)]


def _whole(value: Any) -> Any:
    return int(value) if isinstance(value, float) and value.is_integer() else value


# JSON knows one kind of number: 5.0 is 5, as in JSON Schema. "5" and true are neither.
WHOLE = BeforeValidator(_whole)
Integer = Annotated[int, WHOLE]


def _encodable(text: str) -> bool:
    if text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def unstorable(value: Any, path: str = "", depth: int = 0) -> Iterator[str]:
    """Names every string in a JSON value that cannot be stored."""
    if depth > MAX_JSON_DEPTH:
        yield f"{path or 'body'} is nested deeper than {MAX_JSON_DEPTH} levels"
    elif isinstance(value, str):
        if "\x00" in value:
            yield f"{path or 'text'} contains a NUL character"
        elif not _encodable(value):
            yield f"{path or 'text'} contains a lone surrogate, which is not valid Unicode"
    elif isinstance(value, float) and not math.isfinite(value):
        yield f"{path or 'number'} is not a finite number"
    elif isinstance(value, dict):
        for key, item in value.items():
            yield from unstorable(key, f"a key in {path or 'the body'}", depth + 1)
            yield from unstorable(item, f"{path}.{key}" if path else str(key), depth + 1)
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from unstorable(item, f"{path}[{index}]", depth + 1)


def shown(example: dict[str, Any]) -> ConfigDict:
    """What the OpenAPI document shows as an example of a body."""
    return ConfigDict(json_schema_extra={"examples": [example]})


class Body(BaseModel):
    """A request body."""

    model_config = ConfigDict(extra="forbid", strict=True)

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
