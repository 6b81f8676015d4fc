"""Filters of a search, as JSON: which memories may be found at all.

    {"AND": [filter, ...]}   {"OR": [filter, ...]}   {"NOT": filter}
    {"tags": "pets"}         {"metadata.score": {"gte": 3}}      several names in one object: all of them hold

The names are `metadata.<key>` (and deeper: `metadata.a.b`), `tags`, `semantic_type`, `speaker`, `role`, `thread`,
`conversation_id`, `agent_id`, `user_id`, `created_at`, `valid_from`; the operators eq, ne, in, gt, gte, lt, lte and
contains; a value alone means eq.

Notable choices:

* A field with several values (`tags`, a list in metadata) is equal to each of them, so `{"tags": "pets"}` is what one
  expects. `ne` and NOT are the exact opposite of `eq`: they hold where there is no value, too.
* 1 is not true and "5" is not 5. A comparison of what cannot be compared does not hold, and is no error: metadata is
  the caller's own and differs from memory to memory.
* What cannot be meant (an unknown name, an unknown operator, a time that is none) is refused with its place. Size and
  depth are bounded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from memos.kit.errors import Invalid
from memos.recall.items import Item

MOST_DEPTH = 16
MOST_CLAUSES = 200
MOST_VALUES = 1_000
PLAIN = ("semantic_type", "speaker", "role", "thread", "conversation_id", "agent_id", "user_id")
TIMES = {"created_at": "created_at", "valid_from": "at"}
METADATA = "metadata."
GROUPS = ("AND", "OR", "NOT")
ORDERS: Mapping[str, Callable[[Any, Any], bool]] = {
    "gt": lambda found, wanted: found > wanted,
    "gte": lambda found, wanted: found >= wanted,
    "lt": lambda found, wanted: found < wanted,
    "lte": lambda found, wanted: found <= wanted,
}
OPERATORS = ("eq", "ne", "in", "contains", *ORDERS)
Scalar = str | int | float | bool | None


class BadFilter(Invalid):
    """This filter cannot be understood."""

    code = "bad_filter"
    hint = 'Write it as {"AND": [...]}, {"OR": [...]}, {"NOT": {...}} or {"field": value or {"operator": value}}.'


class Filter(Protocol):
    """Frozen; two of one repr match the same."""

    def matches(self, item: Item) -> bool: ...


@dataclass(frozen=True, slots=True)
class All:
    parts: tuple[Filter, ...]

    def matches(self, item: Item) -> bool:
        return all(part.matches(item) for part in self.parts)


@dataclass(frozen=True, slots=True)
class AnyOf:
    parts: tuple[Filter, ...]

    def matches(self, item: Item) -> bool:
        return any(part.matches(item) for part in self.parts)


@dataclass(frozen=True, slots=True)
class Not:
    part: Filter

    def matches(self, item: Item) -> bool:
        return not self.part.matches(item)


@dataclass(frozen=True, slots=True)
class Is:
    """`values` holds one value, and any number for `in`. Of a field of time they are seconds."""

    field: str
    operator: str
    values: tuple[Scalar, ...]

    def matches(self, item: Item) -> bool:
        return self.holds(values_of(item, self.field))

    def holds(self, found: tuple[Any, ...]) -> bool:
        """Of the values of a field."""
        wanted = self.values[0] if self.values else None
        if self.operator == "contains":
            return any(_contains(one, wanted) for one in found)
        if self.operator in ORDERS:
            return any(_comparable(one, wanted) and ORDERS[self.operator](one, wanted) for one in found)
        equal = any(_same(one, value) for one in found for value in self.values)
        return not equal if self.operator == "ne" else equal

    def over(self, times: NDArray[np.float64]) -> NDArray[np.bool_]:
        """Of a field of time, for many memories at once."""
        if self.operator in ORDERS:
            return np.asarray(ORDERS[self.operator](times, self.values[0]), np.bool_)
        among = np.isin(times, np.array(self.values, np.float64))
        return ~among if self.operator == "ne" else among


def parse(given: Any) -> Filter:
    """Raises BadFilter, naming the place, for what is no filter."""
    return _Parser().filter(given, "filters", 1)


class _Parser:
    def __init__(self) -> None:
        self._left = MOST_CLAUSES

    def filter(self, given: Any, place: str, depth: int) -> Filter:
        if not isinstance(given, Mapping) or not given:
            raise BadFilter(f"{place}: a filter is an object with at least one name")
        if depth > MOST_DEPTH:
            raise BadFilter(f"{place}: filters may lie {MOST_DEPTH} deep")
        parts = tuple(self._part(name, value, f"{place}.{name}", depth) for name, value in given.items())
        return parts[0] if len(parts) == 1 else All(parts)

    def _part(self, name: Any, value: Any, place: str, depth: int) -> Filter:
        self._left -= 1
        if self._left < 0:
            raise BadFilter(f"{place}: a filter may have {MOST_CLAUSES} parts")
        if name == "NOT":
            return Not(self.filter(value, place, depth + 1))
        if name in GROUPS:
            if not isinstance(value, list | tuple) or not value:
                raise BadFilter(f"{place}: a list of filters is wanted, with at least one")
            parts = tuple(self.filter(one, f"{place}[{number}]", depth + 1) for number, one in enumerate(value))
            return All(parts) if name == "AND" else AnyOf(parts)
        return self._clause(name, value, place)

    def _clause(self, name: Any, value: Any, place: str) -> Filter:
        if not isinstance(name, str) or not _known(name):
            known = ", ".join(("metadata.<key>", "tags", *PLAIN, *TIMES))
            raise BadFilter(f"{place}: there is no such field", hint=f"Fields: {known}.")
        if not isinstance(value, Mapping):
            return Is(name, "eq", (_value(name, value, place),))
        if not value:
            raise BadFilter(f"{place}: an operator is wanted", hint=f"Operators: {', '.join(OPERATORS)}.")
        parts = tuple(self._operator(name, operator, one, f"{place}.{operator}") for operator, one in value.items())
        return parts[0] if len(parts) == 1 else All(parts)

    def _operator(self, name: str, operator: Any, value: Any, place: str) -> Filter:
        self._left -= 1
        if operator not in OPERATORS or self._left < 0:
            raise BadFilter(f"{place}: no such operator, or too many", hint=f"Operators: {', '.join(OPERATORS)}.")
        if operator != "in":
            return Is(name, operator, (_value(name, value, place),))
        if not isinstance(value, list | tuple) or len(value) > MOST_VALUES:
            raise BadFilter(f"{place}: a list of at most {MOST_VALUES} values is wanted")
        return Is(name, "in", tuple(_value(name, one, place) for one in value))


def _known(name: str) -> bool:
    return name in PLAIN or name in TIMES or name == "tags" or (name.startswith(METADATA) and name != METADATA)


def _value(name: str, value: Any, place: str) -> Scalar:
    if value is not None and not isinstance(value, str | int | float | bool):
        raise BadFilter(f"{place}: a string, a number, true, false or null is wanted")
    if name not in TIMES or value is None:
        return value
    try:
        moment = datetime.fromisoformat(str(value))
    except ValueError as error:
        raise BadFilter(f"{place}: a date or a time of RFC 3339 is wanted, such as 2026-01-31T12:00:00Z") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def values_of(item: Item, name: str) -> tuple[Any, ...]:
    """The values of a field; a field that is not there has the one value None."""
    if name == "tags":
        return item.tags or (None,)
    if not name.startswith(METADATA):
        return (getattr(item, TIMES.get(name, name)),)
    found: Any = item.metadata
    path = name.removeprefix(METADATA)
    if path in found:  # a key with a dot in it
        found = found[path]
    else:
        for key in path.split("."):
            found = found.get(key) if isinstance(found, Mapping) else None
    return (tuple(found) or (None,)) if isinstance(found, list | tuple) else (found,)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _comparable(found: Any, wanted: Any) -> bool:
    return (_is_number(found) and _is_number(wanted)) or (isinstance(found, str) and isinstance(wanted, str))


def _same(found: Any, wanted: Any) -> bool:
    return bool(found == wanted) if _comparable(found, wanted) else type(found) is type(wanted) and found == wanted


def _contains(found: Any, wanted: Any) -> bool:
    """Part of a text, or one of several values."""
    return wanted in found if isinstance(found, str) and isinstance(wanted, str) else _same(found, wanted)
