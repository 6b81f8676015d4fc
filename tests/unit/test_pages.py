"""Cursors: what comes back is what went in, and nothing that is not ours is taken."""

import base64
import contextlib

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from memos.kit.ids import new_id
from memos.kit.pages import BadCursor, decode, decode_number, encode, page
from memos.kit.schema import Answer


class Row(Answer):
    id: str


CONVERSATION = f"conv_{'0123456789abcdef' * 2}"


def _b64(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def test_no_cursor_is_the_beginning() -> None:
    assert decode(None, "conv") is None
    assert decode_number(None) is None


def test_an_id_comes_back() -> None:
    conversation = new_id("conv")
    assert decode(encode(conversation), "conv") == conversation


@given(st.integers(0, 2**31 - 1))
def test_a_number_comes_back(number: int) -> None:
    assert decode_number(encode(number)) == number


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "!!!!",
        "\ud800",
        "ä",
        encode(7),
        encode(CONVERSATION.replace("conv", "cube")),
        _b64(CONVERSATION[:-1]),
        _b64(CONVERSATION.upper()),
        encode(CONVERSATION) + "=",
        encode(CONVERSATION)[:10] + "!" + encode(CONVERSATION)[10:],
        base64.urlsafe_b64encode(b"\xff\xfe").decode(),
    ],
)
def test_a_cursor_of_ids_that_is_not_ours_is_refused(cursor: str) -> None:
    with pytest.raises(BadCursor):
        decode(cursor, "conv")


@pytest.mark.parametrize("place", ["", "-1", "+1", " 1", "1.0", "01", "2147483648", "9" * 50, "٣", "x", "1_0"])
def test_a_cursor_of_numbers_that_is_not_ours_is_refused(place: str) -> None:
    with pytest.raises(BadCursor):
        decode_number(_b64(place))


@given(st.text(max_size=200))
@example("====")
@example("é")
def test_any_text_is_a_cursor_or_is_refused(cursor: str) -> None:
    """Never another error, and never another place than the one that was handed out."""
    for read in (lambda: decode(cursor, "conv"), lambda: decode_number(cursor)):
        place: str | int | None = None
        with contextlib.suppress(BadCursor):
            place = read()
        assert place is None or encode(place) == cursor


@pytest.mark.parametrize(("fetched", "shown", "more"), [(0, 0, False), (2, 2, False), (3, 3, False), (4, 3, True)])
def test_a_page_says_whether_there_is_more(fetched: int, shown: int, more: bool) -> None:
    rows = [{"id": new_id("conv")} for _ in range(fetched)]
    made = page(rows, 3, "id", lambda row: Row(**row))  # type: ignore[arg-type]
    assert [item.id for item in made.items] == [row["id"] for row in rows[:shown]]
    assert (made.next_cursor is not None) is more
    if made.next_cursor is not None:
        assert decode(made.next_cursor, "conv") == rows[2]["id"]
