"""What one search works on."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from memos.recall.items import Item
from memos.recall.lexical import Segments
from memos.recall.people import Names
from memos.recall.rows import Columns


@dataclass(frozen=True, slots=True)
class View:
    """Rows from `end` on do not exist; of those before it the living count, and `items` may have None meanwhile."""

    columns: Columns
    items: Sequence[Item | None]
    segments: Segments
    by_version: Mapping[str, int]
    names: Names
    speakers: dict[str, int]
    end: int
    count: int
    words: int  # of all living items together
    joined: int  # pairs of neighbours
    epoch: int  # another one: what was known of rows may be otherwise
    touched: Sequence[int]  # rows that became something else since that epoch began, up to `touched_end`
    touched_end: int
