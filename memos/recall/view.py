"""What one search works on."""

from collections.abc import Sequence
from dataclasses import dataclass

from memos.recall.items import Item
from memos.recall.lexical import Segment
from memos.recall.rows import Columns


@dataclass(frozen=True, slots=True)
class View:
    """Rows from `end` on do not exist; of those before it the living count, and `items` may have None meanwhile."""

    columns: Columns
    items: Sequence[Item | None]
    segments: tuple[Segment, ...]
    speakers: dict[str, int]
    end: int
    count: int
    words: int  # of all living items together
