"""Filters over a whole index: for each value of a field, the rows that have it, so that a clause is tried once for each
value and not for each memory.

Notable choices:

* A field is read the first time it is asked about, and from then on only what is new. Times are columns already.
* A filter of another make (it need only have `matches`) is tried memory by memory, and what it said is kept.
* Memories that changed in place since are tried by themselves; when they have become many, all are read again.
* What is kept is bounded; a field with too many distinct values costs its rows once, like any other.
"""

from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from memos.recall.filters import TIMES, All, AnyOf, Filter, Is, Not, Scalar, values_of
from memos.recall.items import Item
from memos.recall.view import View

MOST_FIELDS = 24
MOST_OTHERS = 24
MOST_TOUCHED = 1_000  # rows that are tried by themselves in every search
Mask = NDArray[np.bool_]


@dataclass(slots=True)
class _Field:
    """Rows by type and value (1 is not true); all rows before `end` are in it."""

    epoch: int
    seen: int  # of `touched`
    rows: dict[tuple[type, Scalar], "array[int]"] = field(default_factory=dict)
    end: int = 0


@dataclass(slots=True)
class _Other:
    epoch: int
    seen: int
    mask: Mask


class Masks:
    """Of one index. Any number of threads may ask."""

    def __init__(self) -> None:
        self._fields: OrderedDict[str, _Field] = OrderedDict()
        self._others: OrderedDict[str, _Other] = OrderedDict()
        self._lock = Lock()

    @property
    def size_bytes(self) -> int:
        with self._lock:
            rows = sum(4 * len(rows) + 150 for one in self._fields.values() for rows in one.rows.values())
            return rows + sum(one.mask.nbytes for one in self._others.values())

    def of(self, given: Filter, view: View) -> Mask:
        """[end]. Of rows that are not alive it may say anything."""
        with self._lock:
            return self._of(given, view)

    def _of(self, given: Filter, view: View) -> Mask:
        if isinstance(given, Not):
            return ~self._of(given.part, view)
        if isinstance(given, All | AnyOf):
            together = np.logical_and if isinstance(given, All) else np.logical_or
            return np.asarray(together.reduce([self._of(part, view) for part in given.parts]), np.bool_)
        if isinstance(given, Is):
            return self._clause(given, view)
        return self._other(given, view)

    def _clause(self, given: Is, view: View) -> Mask:
        if given.field in TIMES and None not in given.values:
            times = view.columns.at if given.field == "valid_from" else view.columns.created_at
            return given.over(times[: view.end])
        held = self._field(given.field, view)
        mask = np.zeros(max(view.end, held.end), np.bool_)
        wanted = Is(given.field, "eq", given.values) if given.operator == "ne" else given
        for (_, value), rows in held.rows.items():
            if wanted.holds((value,)):
                mask[np.frombuffer(rows, np.int32)] = True
        mask = ~mask[: view.end] if given.operator == "ne" else mask[: view.end]
        return _corrected(mask, given, held.seen, view)

    def _field(self, name: str, view: View) -> _Field:
        held = self._fields.pop(name, None)
        if held is None or _outdated(held, view):
            held = _Field(view.epoch, view.touched_end)
        self._fields[name] = held
        while len(self._fields) > MOST_FIELDS:
            self._fields.popitem(last=False)
        for row in range(held.end, view.end):
            item = view.items[row]
            if item is not None:
                for value in values_of(item, name):
                    if isinstance(value, str | int | float | bool | None):  # no filter asks for anything else
                        held.rows.setdefault((type(value), value), array("i")).append(row)
        held.end = max(held.end, view.end)
        return held

    def _other(self, given: Filter, view: View) -> Mask:
        name = repr(given)
        held = self._others.pop(name, None)
        if held is None or _outdated(held, view):
            held = _Other(view.epoch, view.touched_end, np.zeros(0, np.bool_))
        if len(held.mask) < view.end:
            held.mask = np.concatenate([held.mask, _tried(given, view.items[len(held.mask) : view.end])])
        self._others[name] = held
        while len(self._others) > MOST_OTHERS:
            self._others.popitem(last=False)
        return _corrected(held.mask[: view.end].copy(), given, held.seen, view)


def _outdated(held: _Field | _Other, view: View) -> bool:
    return held.epoch != view.epoch or view.touched_end - held.seen > MOST_TOUCHED


def _corrected(mask: Mask, given: Filter, seen: int, view: View) -> Mask:
    """Rows that became something else since the others were read are tried as they are now."""
    for row in set(view.touched[seen : view.touched_end]):
        if row < view.end:
            item = view.items[row]
            mask[row] = item is not None and given.matches(item)
    return mask


def _tried(given: Filter, items: Sequence[Item | None]) -> Mask:
    return np.array([item is not None and given.matches(item) for item in items], np.bool_)
