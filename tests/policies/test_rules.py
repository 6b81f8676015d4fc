"""Each rule beside an obvious model of it: as slow and as plain as the sentence that describes it."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos.kernel.policy import Decision, Item
from memos.policies.rules import RULES, MostVisitedFirst, build

NOW = datetime(2026, 6, 15, 12, 30, tzinfo=UTC)
AGES_S = st.integers(0, 40 * 86_400)


@st.composite
def an_item(draw: st.DrawFn, number: int) -> Item:
    made = NOW - timedelta(seconds=draw(AGES_S))
    since = st.integers(0, int((NOW - made).total_seconds()))
    uses = tuple(sorted((made + timedelta(seconds=draw(since)) for _ in range(draw(st.integers(0, 3)))), reverse=True))
    return Item(
        id=f"cube_{number:02}",
        created_at=made,
        size_bytes=draw(st.integers(0, 9)),
        priority=draw(st.integers(0, 2)),
        reads=draw(st.integers(0, 4)),
        last_used_at=draw(st.none() | since.map(lambda s: made + timedelta(seconds=s))),
        uses=uses,
        place=draw(st.sampled_from("abc")),
        expires_at=draw(st.none() | AGES_S.map(lambda s: NOW + timedelta(days=20, seconds=-s))),
        line=draw(st.sampled_from("xy")),
        pinned=draw(st.booleans()),
    )


@st.composite
def some_items(draw: st.DrawFn) -> list[Item]:
    return [draw(an_item(number)) for number in range(draw(st.integers(0, 12)))]


ITEMS = some_items()
MOST = st.integers(0, 13)


def went(decisions: Sequence[Decision]) -> list[str]:
    return [decision.item.id for decision in decisions]


def decided(rule: dict[str, Any], items: Sequence[Item]) -> list[str]:
    return went(build(rule).decide(items, NOW))


@given(ITEMS)
def test_what_is_past_its_own_lifespan_expires(items: list[Item]) -> None:
    assert set(decided({"kind": "expires_at"}, items)) == {i.id for i in items if i.expires_at and i.expires_at <= NOW}


@given(ITEMS, st.integers(1, 40 * 86_400))
def test_what_is_older_than_its_time_goes(items: list[Item], ttl_s: int) -> None:
    expected = {i.id for i in items if i.created_at < NOW - timedelta(seconds=ttl_s)}
    assert set(decided({"kind": "ttl", "ttl_s": float(ttl_s)}, items)) == expected


def one_by_one(items: Sequence[Item], most: int, worst: Any) -> list[str]:
    """Throws the worst away, again and again, while there are too many."""
    left, gone = list(items), []
    while len(left) > most:
        item = min(left, key=lambda i: (*worst(i, left), i.created_at, i.id))
        left.remove(item)
        gone.append(item.id)
    return gone


def in_place(item: Item, left: Sequence[Item]) -> int:
    return sum(1 + other.reads for other in left if other.place == item.place)


def age_of_place(item: Item, left: Sequence[Item]) -> tuple[datetime, str]:
    """Of two places as often visited, that of the older item."""
    return min((other.created_at, other.id) for other in left if other.place == item.place)


def strength(item: Item) -> float:
    days = [(NOW - moment) / timedelta(days=1) for moment in (item.created_at, *item.uses)]
    return sum(math.pow(2.0, -day / 7) for day in days)


MODELS: dict[str, Any] = {
    "count_budget": lambda i, left: (i.priority,),
    "fifo": lambda i, left: (),
    "least_recently_used": lambda i, left: (i.last_used_at or i.created_at,),
    "least_often_used": lambda i, left: (i.reads, i.last_used_at or i.created_at),
    "reinforce": lambda i, left: (round(strength(i), 9),),
    "most_visited_first": lambda i, left: (-in_place(i, left), age_of_place(i, left)),
    "least_visited_first": lambda i, left: (in_place(i, left), age_of_place(i, left)),
}


@pytest.mark.parametrize("kind", sorted(MODELS))
@given(items=ITEMS, most=MOST)
def test_a_budget_keeps_what_the_model_keeps(kind: str, items: list[Item], most: int) -> None:
    assert decided({"kind": kind, "most": most}, items) == one_by_one(items, most, MODELS[kind])


@given(ITEMS, st.integers(0, 60))
def test_bytes_are_brought_below_their_budget(items: list[Item], most_bytes: int) -> None:
    left, gone = sorted(items, key=lambda i: (i.priority, i.created_at, i.id)), []
    while sum(i.size_bytes for i in left) > most_bytes:
        gone.append(left.pop(0).id)
    assert decided({"kind": "byte_budget", "most_bytes": most_bytes}, items) == gone


@given(ITEMS, st.integers(0, 86_400), st.integers(0, 20 * 86_400))
def test_thinning_keeps_one_an_hour_and_one_a_day(items: list[Item], all_s: int, hourly_s: int) -> None:
    rule = build({"kind": "thin", "all_s": float(all_s), "hourly_s": float(hourly_s)})
    gone = {d.item.id for d in rule.decide(items, NOW)}
    for line in {i.line for i in items}:
        versions = sorted((i for i in items if i.line == line), key=lambda i: (i.created_at, i.id))
        for place, version in enumerate(versions):
            age_s = (NOW - version.created_at).total_seconds()
            span = 3600 if age_s <= hourly_s else 86_400
            newer = [
                other for other in versions[place + 1 :]
                if (NOW - other.created_at).total_seconds() > all_s
                and (3600 if (NOW - other.created_at).total_seconds() <= hourly_s else 86_400) == span
                and int(other.created_at.timestamp()) // span == int(version.created_at.timestamp()) // span
            ]  # fmt: skip
            stays = place == 0 or version.pinned or age_s <= all_s or not newer
            assert (version.id in gone) != stays, version


def rules(most: int) -> list[dict[str, Any]]:
    return [
        {"kind": "expires_at"}, {"kind": "ttl", "ttl_s": 86_400.0}, {"kind": "byte_budget", "most_bytes": most},
        {"kind": "thin"}, *({"kind": kind, "most": most} for kind in MODELS),
    ]  # fmt: skip


def test_every_rule_is_here() -> None:
    assert {rule["kind"] for rule in rules(0)} == set(RULES)


@given(ITEMS, MOST, st.randoms(use_true_random=False))
def test_order_makes_no_difference_and_a_reason_is_given(items: list[Item], most: int, random: Any) -> None:
    shuffled = list(items)
    random.shuffle(shuffled)
    for rule in rules(most):
        made = build(rule)
        decisions = made.decide(items, NOW)
        assert decisions == made.decide(shuffled, NOW)
        assert len({decision.item.id for decision in decisions}) == len(decisions)
        assert all(decision.reason for decision in decisions)
        made.feedback(1.0)  # none of these learns
        assert made.decide(items, NOW) == decisions


def test_use_makes_stronger_and_time_weaker() -> None:
    rule: Any = build({"kind": "reinforce", "most": 1, "half_life_s": 86_400.0})
    day = timedelta(days=1)
    idle, used = Item("a", NOW - day), Item("b", NOW - day, uses=(NOW,))
    assert rule.strength(idle, NOW) == pytest.approx(0.5)
    assert rule.strength(used, NOW) == pytest.approx(1.5)
    assert rule.strength(used, NOW + day) == pytest.approx(0.75)
    assert went(rule.decide([used, idle], NOW)) == ["a"]


def test_the_model_sees_a_rule_that_counts_wrongly(monkeypatch: pytest.MonkeyPatch) -> None:
    """Planted: the most visited place loses everything at once, since its count does not fall."""
    items = [Item(f"a{n}", NOW - timedelta(hours=9 - n), place="a") for n in range(3)]
    items += [Item(f"b{n}", NOW - timedelta(hours=5 - n), place="b") for n in range(2)]
    rule = {"kind": "most_visited_first", "most": 2}
    expected = one_by_one(items, 2, MODELS["most_visited_first"])
    assert decided(rule, items) == expected

    def all_at_once(self: MostVisitedFirst, items: Sequence[Item], now: datetime) -> list[Decision]:
        crowd = sorted(items, key=lambda i: (-in_place(i, items), i.created_at))
        return [Decision(item, "evict", "planted") for item in crowd[: len(items) - self.most]]

    monkeypatch.setattr(MostVisitedFirst, "decide", all_at_once)
    assert decided(rule, items) != expected
