"""The chain by itself: whole as it was made, and broken at the right place by every way to tamper with it."""

from dataclasses import replace
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from memos.kernel.audit import START, Link, Row, Walk, link_hash

DETAILS = st.dictionaries(
    st.text(max_size=3), st.integers() | st.booleans() | st.none() | st.text(max_size=3), max_size=2
)
NAMES = st.lists(st.text(max_size=4), max_size=2).map(tuple)


@st.composite
def chains(draw: st.DrawFn) -> list[Link]:
    links: list[Link] = []
    previous = START
    for seq in range(1, draw(st.integers(2, 8)) + 1):
        row = Row(
            f"audit_{seq}", draw(st.text(max_size=4)), draw(st.sampled_from(["read", "change"])),
            draw(st.text(max_size=4)), draw(st.text(max_size=4)), draw(NAMES), draw(NAMES), draw(DETAILS),
        )  # fmt: skip
        links.append(Link(seq, row.id, previous, link_hash(previous, seq, row), row))
        previous = links[-1].hash
    return links


def broken_at(links: list[Link]) -> int | None:
    walk = Walk()
    for link in links:
        if not walk.take(link):
            break
    return walk.broken.seq if walk.broken else None


@given(chains())
def test_a_chain_is_whole_as_it_was_made(links: list[Link]) -> None:
    assert broken_at(links) is None
    for cut in range(len(links)):  # from any place that one trusts
        walk = Walk(cut, links[cut - 1].hash if cut else START)
        assert all(walk.take(link) for link in links[cut:])


@given(links=chains(), data=st.data())
def test_whatever_is_changed_is_found_where_it_is(links: list[Link], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(links) - 1))
    row = links[place].row
    assert row is not None
    field = data.draw(st.sampled_from(["id", "at", "action", "by", "subjects", "actors", "details", "kind"]))
    other: dict[str, Any] = {
        "subjects": (*row.subjects, "x"),
        "actors": (*row.actors, "x"),
        "details": {**row.details, "extra": 1},
    }
    changed = replace(row, **{field: other.get(field, f"{getattr(row, field)}!")})
    assert broken_at([*links[:place], replace(links[place], row=changed), *links[place + 1 :]]) == place + 1


@given(links=chains(), data=st.data())
def test_a_place_that_is_gone_is_named(links: list[Link], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(links) - 2))
    assert broken_at([*links[:place], *links[place + 1 :]]) == place + 1
    assert broken_at([*links[:place], replace(links[place], row=None), *links[place + 1 :]]) == place + 1


@given(links=chains(), data=st.data())
def test_two_that_changed_places_are_found(links: list[Link], data: st.DataObject) -> None:
    first, second = data.draw(st.tuples(*[st.integers(0, len(links) - 1)] * 2))
    assume(first < second)
    rows = list(links)
    rows[first], rows[second] = (
        replace(links[first], row=links[second].row),
        replace(links[second], row=links[first].row),
    )
    assert broken_at(rows) == first + 1
    whole = list(links)
    whole[first], whole[second] = replace(links[second], seq=first + 1), replace(links[first], seq=second + 1)
    assert broken_at(whole) == first + 1
