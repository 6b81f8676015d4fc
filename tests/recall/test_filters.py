"""Filters against a slow twin that walks through the JSON by itself, and what is refused."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memos.recall import index as index_module
from memos.recall.filters import MOST_CLAUSES, MOST_DEPTH, BadFilter, parse
from memos.recall.items import Item
from tests.recall.making import NOW, ask, index_of, item, items

DAY = datetime.fromtimestamp(NOW, UTC).date().isoformat()
values = st.sampled_from((1, 2, 1.0, True, False, None, "1", "x", "red", "Ada", "one", "blue"))
names = st.sampled_from(("metadata.a", "metadata.b", "tags", "speaker", "thread", "semantic_type"))
orders = st.sampled_from(("gt", "gte", "lt", "lte"))
clauses = st.one_of(
    st.tuples(names, values).map(lambda pair: {pair[0]: pair[1]}),
    st.tuples(names, st.sampled_from(("eq", "ne", "contains")), values).map(
        lambda three: {three[0]: {three[1]: three[2]}}
    ),
    st.tuples(names, orders, values).map(lambda three: {three[0]: {three[1]: three[2]}}),
    st.tuples(names, st.lists(values, max_size=3)).map(lambda pair: {pair[0]: {"in": pair[1]}}),
    st.tuples(st.sampled_from(("valid_from", "created_at")), orders).map(lambda pair: {pair[0]: {pair[1]: DAY}}),
)
filters: st.SearchStrategy[dict[str, Any]] = st.recursive(
    clauses,
    lambda inner: st.one_of(
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"AND": parts}),
        st.lists(inner, min_size=1, max_size=3).map(lambda parts: {"OR": parts}),
        inner.map(lambda part: {"NOT": part}),
        st.tuples(clauses, clauses).map(lambda two: two[0] | two[1]),
    ),
    max_leaves=6,
)


def slow(wanted: dict[str, Any], one: Item) -> bool:
    """What the module's docstring says, said again without any of its code."""
    for name, value in wanted.items():
        if name == "AND":
            holds = all(slow(part, one) for part in value)
        elif name == "OR":
            holds = any(slow(part, one) for part in value)
        elif name == "NOT":
            holds = not slow(value, one)
        elif isinstance(value, dict):
            holds = all(_holds(_values(one, name), operator, operand, name) for operator, operand in value.items())
        else:
            holds = _holds(_values(one, name), "eq", value, name)
        if not holds:
            return False
    return True


def _values(one: Item, name: str) -> list[Any]:
    if name.startswith("metadata."):
        found = one.metadata.get(name.removeprefix("metadata."))
    elif name == "tags":
        found = list(one.tags)
    else:
        found = {"valid_from": one.at, "created_at": one.created_at}.get(name) or getattr(one, name, None)
    return (found or [None]) if isinstance(found, list) else [found]


def _kind(value: Any) -> str:
    return "number" if isinstance(value, int | float) and not isinstance(value, bool) else type(value).__name__


def _holds(found: list[Any], operator: str, operand: Any, name: str) -> bool:
    if name in ("valid_from", "created_at"):
        operand = datetime.fromisoformat(operand).replace(tzinfo=UTC).timestamp()
    same = [one for one in found if _kind(one) == _kind(operand) and one == operand]
    alike = [one for one in found if _kind(one) == _kind(operand) and _kind(one) in ("number", "str")]
    match operator:
        case "eq":
            return bool(same)
        case "ne":
            return not same
        case "in":
            return any(_kind(one) == _kind(value) and one == value for one in found for value in operand)
        case "contains":
            return bool(same) or any(isinstance(one, str) and operand in one for one in alike)
        case "gt":
            return any(one > operand for one in alike)
        case "gte":
            return any(one >= operand for one in alike)
        case "lt":
            return any(one < operand for one in alike)
        case _:
            return any(one <= operand for one in alike)


@settings(max_examples=80)
@given(made=st.lists(items(), max_size=6), more=st.lists(items(), max_size=2), wanted=filters)
def test_a_filter_lets_through_what_its_words_say(made: list[Item], more: list[Item], wanted: dict[str, Any]) -> None:
    read = parse(wanted)
    for one in made:
        assert read.matches(one) == slow(wanted, one)
    index = index_of(*made)
    ask(index, "dog", filters=read)  # what it read of the fields is kept, and must follow
    index.put(more)
    unfiltered = {hit.item.cube_id: hit.item for hit in ask(index, "dog", history=True)}
    found = {hit.item.cube_id for hit in ask(index, "dog", history=True, filters=read)}
    assert found == {name for name, one in unfiltered.items() if slow(wanted, one)}


def test_a_value_that_changes_in_place_is_followed() -> None:
    index = index_of(item(1, "a dog", tags=("old",)))
    old, new = parse({"tags": "old"}), parse({"tags": "new"})
    assert len(ask(index, "dog", filters=old)) == 1
    index.put([item(1, "a dog", tags=("new",))])
    assert ask(index, "dog", filters=old) == []
    assert len(ask(index, "dog", filters=new)) == 1


def test_over_an_index_too_1_is_not_true() -> None:
    index = index_of(
        *(item(number, "a dog", metadata={"a": value}) for number, value in enumerate((1, True, 1.0, "1")))
    )
    for value, wanted in ((1, {0, 2}), (True, {1}), ("1", {3})):
        found = ask(index, "dog", filters=parse({"metadata.a": value}))
        assert {int(hit.item.cube_id[5:]) for hit in found} == wanted


def test_a_row_that_is_given_again_is_read_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "LEAST_DEAD", 0)
    index = index_of(item(1, "a dog", tags=("old",)), item(2, "a cat", tags=("old",)))
    old = parse({"tags": "old"})
    assert len(ask(index, "dog", filters=old)) == 2
    row = index.row("cube_0001")
    index.remove(["cube_0001"])
    assert len(ask(index, "dog", filters=old)) == 1
    index.put([item(3, "a dog", tags=("new",))])
    assert index.row("cube_0003") == row
    assert [hit.item.cube_id for hit in ask(index, "dog", filters=old)] == ["cube_0002"]
    assert [hit.item.cube_id for hit in ask(index, "dog", filters=parse({"tags": "new"}))] == ["cube_0003"]


class OnlyEven:
    """A filter of another make, as the service lays one on a search."""

    def __repr__(self) -> str:
        return "OnlyEven()"

    def matches(self, one: Item) -> bool:
        return int(one.cube_id[5:]) % 2 == 0


def test_a_neighbour_that_may_not_be_found_says_nothing() -> None:
    said = [
        item(1, "Where is the hidden treasure of the pirates?", thread="t"),
        item(2, "Under the old oak.", thread="t"),
        item(4, "By the lake we had tea.", thread="u"),
    ]
    index = index_of(*said)
    guarded = {hit.item.cube_id: hit.score for hit in ask(index, "hidden treasure", filters=OnlyEven())}
    alone = {hit.item.cube_id: hit.score for hit in ask(index, "hidden treasure")}
    assert guarded["cube_0002"] == pytest.approx(guarded["cube_0004"], abs=0.02)
    assert alone["cube_0002"] > alone["cube_0004"] + 0.02


@pytest.mark.parametrize(
    ("wanted", "place"),
    [
        ([], "filters"),
        ({}, "filters"),
        ({"AND": []}, "filters.AND"),
        ({"OR": {"tags": "a"}}, "filters.OR"),
        ({"NOT": [{"tags": "a"}]}, "filters.NOT"),
        ({"colour": "red"}, "filters.colour"),
        ({"metadata.": 1}, "filters.metadata."),
        ({"AND": [{"tags": "a"}, {"tags": {"near": 1}}]}, "filters.AND[1].tags.near"),
        ({"tags": {}}, "filters.tags"),
        ({"tags": {"in": "a"}}, "filters.tags.in"),
        ({"tags": ["a"]}, "filters.tags"),
        ({"created_at": {"gt": "yesterday"}}, "filters.created_at.gt"),
        ({"created_at": {"gt": 5}}, "filters.created_at.gt"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_its_place(wanted: Any, place: str) -> None:
    with pytest.raises(BadFilter) as refused:
        parse(wanted)
    assert refused.value.message.startswith(place + ":")
    assert refused.value.status == 422


def test_size_and_depth_are_bounded() -> None:
    deep: dict[str, Any] = {"tags": "a"}
    for _ in range(MOST_DEPTH):
        deep = {"NOT": deep}
    with pytest.raises(BadFilter, match="deep"):
        parse(deep)
    with pytest.raises(BadFilter):
        parse({"OR": [{"tags": "a"}] * (MOST_CLAUSES + 1)})


def test_deeper_metadata_and_keys_with_dots() -> None:
    one = item(1, "x", metadata={"a": {"b": 3}, "c.d": "e"})
    assert parse({"metadata.a.b": {"gte": 3}}).matches(one)
    assert parse({"metadata.c.d": "e"}).matches(one)
    assert not parse({"metadata.a.b.c": 3}).matches(one)
