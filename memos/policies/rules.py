"""The rules, one class each, behind a registry: a name in a policy's row finds its class, whose fields are its numbers.

Notable choices:

* Frozen cubes are no items: no budget counts them and no rule reaches them.
* The budgets of items and of bytes let the lowest priority go first, then the oldest. The rules of the family that a
  learned allocator chooses from (first in first out, least recently used, least often used, most and least visited
  first) look at the one thing that they are called after, and at nothing else.
* A place is what a cube is about: its user, its agent and its semantic type together. What is held there counts as its
  visits, each item once and once more for every read of it; as items go the count falls, so the most visited place does
  not lose everything at once.
* Ties are broken by age and then by id: two runs over the same memory decide the same.
"""

import heapq
import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, ClassVar, Literal

from memos.kernel.policy import Decision, Item, RetentionPolicy

DAY_S = 86_400.0
HOUR_S = 3_600.0
Subject = Literal["cube", "version"]


@dataclass(frozen=True, slots=True)
class RuleClass:
    """What the registry knows of a rule besides how to build it."""

    build: Callable[..., RetentionPolicy]
    subject: Subject
    by_use: bool  # its decision is about use: one that was read or written meanwhile is not carried out


RULES: dict[str, RuleClass] = {}


def register(name: str, *, subject: Subject = "cube", by_use: bool = False) -> Callable[[Any], Any]:
    def add(made: Any) -> Any:
        RULES[name] = RuleClass(made, subject, by_use)
        return made

    return add


def build(rule: Mapping[str, Any]) -> RetentionPolicy:
    """The rule of a policy's row. Raises KeyError for a name that nobody registered."""
    numbers = {name: value for name, value in rule.items() if name != "kind"}
    return RULES[rule["kind"]].build(**numbers)


class Fixed:
    """A rule that does not learn."""

    def feedback(self, reward: float) -> None:
        """Nothing to learn from it."""


@register("expires_at")
@dataclass(frozen=True)
class ExpiresAt(Fixed):
    """What is past the moment that its own row names."""

    def decide(self, items: Sequence[Item], now: datetime) -> list[Decision]:
        past = [item for item in _oldest_first(items) if item.expires_at is not None and item.expires_at <= now]
        return [Decision(item, "expire", f"its expires_at is {_moment(item.expires_at)}") for item in past]


@register("ttl")
@dataclass(frozen=True)
class TimeToLive(Fixed):
    """What was made longer than `ttl_s` ago, however often it is used."""

    ttl_s: float

    def decide(self, items: Sequence[Item], now: datetime) -> list[Decision]:
        old = [item for item in _oldest_first(items) if (now - item.created_at).total_seconds() > self.ttl_s]
        return [
            Decision(item, "evict", f"made {_span(now - item.created_at)} ago; {_seconds(self.ttl_s)} is the most")
            for item in old
        ]


@dataclass(frozen=True)
class Budget(Fixed, ABC):
    """At most `most` items: those first in the rule's order go, until no more than that are left."""

    most: int
    order: ClassVar[str]

    def decide(self, items: Sequence[Item], now: datetime) -> list[Decision]:
        beyond = max(0, len(items) - self.most)
        ranked = sorted(items, key=lambda item: (*self.key(item, now), item.created_at, item.id))
        return [
            Decision(
                item, "evict", f"{len(items)} items, {self.most} is the most; {self.order}: {self.figure(item, now)}"
            )
            for item in ranked[:beyond]
        ]

    @abstractmethod
    def key(self, item: Item, now: datetime) -> tuple[Any, ...]: ...

    @abstractmethod
    def figure(self, item: Item, now: datetime) -> str: ...


@register("count_budget")
class CountBudget(Budget):
    order = "lowest priority, then oldest"

    def key(self, item: Item, now: datetime) -> tuple[Any, ...]:
        return (item.priority,)

    def figure(self, item: Item, now: datetime) -> str:
        return f"priority {item.priority}, made {_moment(item.created_at)}"


@register("fifo")
class FirstInFirstOut(Budget):
    order = "first in, first out"

    def key(self, item: Item, now: datetime) -> tuple[Any, ...]:
        return ()

    def figure(self, item: Item, now: datetime) -> str:
        return f"made {_moment(item.created_at)}"


@register("least_recently_used", by_use=True)
class LeastRecentlyUsed(Budget):
    order = "least recently used"

    def key(self, item: Item, now: datetime) -> tuple[Any, ...]:
        return (item.used_at,)

    def figure(self, item: Item, now: datetime) -> str:
        return f"last used {_moment(item.used_at)}"


@register("least_often_used", by_use=True)
class LeastOftenUsed(Budget):
    order = "least often used"

    def key(self, item: Item, now: datetime) -> tuple[Any, ...]:
        return (item.reads, item.used_at)

    def figure(self, item: Item, now: datetime) -> str:
        return f"read {item.reads} times"


@register("reinforce", by_use=True)
@dataclass(frozen=True)
class Reinforced(Budget):
    """Use makes an item stronger and time makes it weaker: being made and every read add 1, and each of these halves
    every `half_life_s`. The weakest beyond the budget go."""

    half_life_s: float = 7 * DAY_S
    order: ClassVar[str] = "weakest first"

    def strength(self, item: Item, now: datetime) -> float:
        moments = [item.created_at, *item.uses]
        ages_s = [max(0.0, (now - moment).total_seconds()) for moment in moments]
        return sum(math.pow(0.5, age_s / self.half_life_s) for age_s in ages_s)

    def key(self, item: Item, now: datetime) -> tuple[Any, ...]:
        return (self.strength(item, now),)

    def figure(self, item: Item, now: datetime) -> str:
        return f"strength {self.strength(item, now):.4g}"


@register("byte_budget")
@dataclass(frozen=True)
class ByteBudget(Fixed):
    """At most `most_bytes` over all versions: the lowest priority and then the oldest go, until the rest fits."""

    most_bytes: int

    def decide(self, items: Sequence[Item], now: datetime) -> list[Decision]:
        held = total = sum(item.size_bytes for item in items)
        decisions: list[Decision] = []
        for item in sorted(items, key=lambda item: (item.priority, item.created_at, item.id)):
            if held <= self.most_bytes:
                break
            held -= item.size_bytes
            reason = f"{total} bytes, {self.most_bytes} is the most; priority {item.priority}, {item.size_bytes} bytes"
            decisions.append(Decision(item, "evict", reason))
        return decisions


@dataclass(frozen=True)
class Visited(Fixed):
    """At most `most` items: the oldest of the most, or the least, visited place goes, again and again."""

    most: int
    sign: ClassVar[int]
    order: ClassVar[str]

    def decide(self, items: Sequence[Item], now: datetime) -> list[Decision]:
        places: dict[str, list[Item]] = defaultdict(list)
        for item in _oldest_first(items):
            places[item.place].append(item)
        # Only the place that loses an item changes, so the heap is right as long as that one is put back.
        heap = [(self.sign * sum(1 + i.reads for i in held), *_age(held[0]), place) for place, held in places.items()]
        heapq.heapify(heap)
        decisions: list[Decision] = []
        for _ in range(max(0, len(items) - self.most)):
            visits, *_rest, place = heapq.heappop(heap)
            held = places[place]
            item = held.pop(0)
            count = f"{len(items)} items, {self.most} is the most"
            decisions.append(Decision(item, "evict", f"{count}; {self.order}: a place with {abs(visits)} visits"))
            if held:
                heapq.heappush(heap, (visits - self.sign * (1 + item.reads), *_age(held[0]), place))
        return decisions


@register("most_visited_first", by_use=True)
class MostVisitedFirst(Visited):
    sign = -1
    order = "most visited first"


@register("least_visited_first", by_use=True)
class LeastVisitedFirst(Visited):
    sign = 1
    order = "least visited first"


@register("thin", subject="version")
@dataclass(frozen=True)
class VersionThinning(Fixed):
    """Of each line of versions: all of the last `all_s`, then the newest of every hour until `hourly_s`, then the
    newest of every day. Hours and days are those of the clock in UTC, so that what is kept today is kept tomorrow
    unless a coarser step takes over. The oldest of a line, and what is pinned, stays."""

    all_s: float = DAY_S
    hourly_s: float = 7 * DAY_S

    def decide(self, items: Sequence[Item], now: datetime) -> list[Decision]:
        lines: dict[str, list[Item]] = defaultdict(list)
        for item in _oldest_first(items):
            lines[item.line].append(item)
        return [decision for line in sorted(lines) for decision in self._of_line(lines[line], now)]

    def _of_line(self, line: Sequence[Item], now: datetime) -> list[Decision]:
        newest: dict[tuple[float, int], Item] = {}
        for item in line:
            if (slot := self._slot(item, now)) is not None:
                newest[slot] = item  # oldest first, so the last one stays
        decisions: list[Decision] = []
        for item in line[1:]:
            slot = self._slot(item, now)
            if slot is not None and newest[slot] is not item and not item.pinned:
                span = "hour" if slot[0] == HOUR_S else "day"
                decisions.append(Decision(item, "thin", f"a newer version of the same {span} is kept"))
        return decisions

    def _slot(self, item: Item, now: datetime) -> tuple[float, int] | None:
        """Which hour or day it shares; None while all are kept."""
        age_s = (now - item.created_at).total_seconds()
        if age_s <= self.all_s:
            return None
        length_s = HOUR_S if age_s <= self.hourly_s else DAY_S
        return length_s, int(item.created_at.timestamp() // length_s)


def _age(item: Item) -> tuple[datetime, str]:
    return item.created_at, item.id


def _oldest_first(items: Sequence[Item]) -> list[Item]:
    return sorted(items, key=_age)


def _moment(moment: datetime | None) -> str:
    return "never" if moment is None else moment.isoformat(timespec="seconds")


def _span(span: timedelta) -> str:
    return _seconds(span.total_seconds())


def _seconds(seconds: float) -> str:
    if seconds >= DAY_S:
        return f"{seconds / DAY_S:.4g} days"
    return f"{seconds / HOUR_S:.4g} hours" if seconds >= HOUR_S else f"{seconds:.4g} seconds"
