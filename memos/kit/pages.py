"""Cursors of lists: newest first, by id or by number. Opaque to callers, and refused when they are not ours."""

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import RowMapping

from memos.kit.errors import Invalid
from memos.kit.ids import ID_PATTERN, Prefix
from memos.kit.schema import Answer, Page

A = TypeVar("A", bound=Answer)


class BadCursor(Invalid):
    """The cursor is not one of ours."""

    code = "bad_cursor"
    hint = "Pass `next_cursor` of the page before, unchanged, or leave `cursor` out."


def encode(place: str | int) -> str:
    return base64.urlsafe_b64encode(str(place).encode()).decode().rstrip("=")


def decode(cursor: str | None, prefix: Prefix) -> str | None:
    """The id that a cursor of a list of such ids stands for."""
    place = _decode(cursor)
    if place is not None and not (ID_PATTERN.fullmatch(place) and place.startswith(f"{prefix}_")):
        raise BadCursor
    return place


def decode_number(cursor: str | None) -> int | None:
    place = _decode(cursor)
    if place is None:
        return None
    if not re.fullmatch(r"0|[1-9][0-9]{0,9}", place) or int(place) >= 2**31:
        raise BadCursor
    return int(place)


def decode_place(cursor: str | None) -> str:
    """The place in a list that is ordered by a word of ours and an id; "" is before everything."""
    place = _decode(cursor)
    if place is not None and not re.fullmatch(r"[a-z_]{1,50} [a-z0-9_:-]{1,100}", place):
        raise BadCursor
    return place or ""


def decode_text(cursor: str | None) -> str | None:
    """The place in a list that is ordered by a name of the caller's."""
    place = _decode(cursor)
    if place is not None and ("\x00" in place or len(place) > 200):
        raise BadCursor
    return place


def _decode(cursor: str | None) -> str | None:
    if cursor is None:
        return None
    try:
        place = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode()
    except (binascii.Error, ValueError) as error:
        raise BadCursor from error
    if encode(place) != cursor:  # base64 passes over what it does not know
        raise BadCursor
    return place


def page(rows: Sequence[RowMapping], limit: int, key: str, make: Callable[[RowMapping], A]) -> Page[A]:
    """A page from `limit + 1` fetched rows: the extra one only says that there are more."""
    shown = rows[:limit]
    more = len(rows) > limit
    return Page[A](items=[make(row) for row in shown], next_cursor=encode(shown[-1][key]) if more else None)
