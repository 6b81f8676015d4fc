"""Memories for the tests of recall: short, of few words, so that chance makes them meet."""

from typing import Any

import numpy as np
from hypothesis import strategies as st
from numpy.typing import NDArray

from memos.recall.index import RecallIndex
from memos.recall.items import Item
from memos.recall.query import Asked, Hit

DIMENSIONS = 8
NOW = 1_700_000_000.0
DAY_S = 86_400.0
WORDS = "dog cat tea rome garden wedding piano yesterday i you".split()
SPEAKERS = ("Ada", "Grace Hopper", "user", None)


def vector(seed: int) -> NDArray[np.float32]:
    """Of length one, the same for the same seed."""
    made = np.random.default_rng(seed).standard_normal(DIMENSIONS)
    return (made / np.linalg.norm(made)).astype(np.float32)


def item(number: int, text: str, **given: Any) -> Item:
    at = given.pop("at", NOW - 1_000 * DAY_S + number)
    made = {"created_at": at, "version_id": f"cver_{number:04}", "version": 1, "vector": None} | given
    return Item(cube_id=f"cube_{number:04}", text=text, at=at, **made)


def index_of(*items: Item) -> RecallIndex:
    index = RecallIndex(DIMENSIONS)
    index.put(items)
    return index


def ask(index: RecallIndex, text: str, **given: Any) -> list[Hit]:
    return index.search(Asked(text, **{"now": NOW, "top_k": 50, **given}))


def texts(hits: list[Hit]) -> list[str]:
    return [hit.item.text for hit in hits]


sentences = st.lists(st.sampled_from(WORDS), max_size=6).map(" ".join)
asking = st.booleans().map(lambda yes: "?" if yes else ".")


@st.composite
def items(draw: st.DrawFn, most: int = 12) -> Item:
    number = draw(st.integers(0, most - 1))
    return item(
        number,
        draw(sentences) + draw(asking),
        version_id=f"cver_{draw(st.integers(0, 10**9))}_{number}",
        at=NOW - draw(st.integers(0, 5)) * DAY_S / 8,
        created_at=float(number),
        speaker=draw(st.sampled_from(SPEAKERS)),
        thread=draw(st.sampled_from(("one", "two", None))),
        tags=tuple(draw(st.lists(st.sampled_from(("red", "blue")), max_size=2, unique=True))),
        metadata=draw(
            st.dictionaries(
                st.sampled_from(("a", "b")), st.sampled_from((1, 1.0, True, "1", None, ["x", 2])), max_size=2
            )
        ),
        valid_to=draw(st.sampled_from((None, NOW - 1, NOW + 1))),
        expires_at=draw(st.sampled_from((None, None, NOW - 1, NOW + 1))),
        superseded=draw(st.sampled_from((False, False, True))),
        vector=draw(st.sampled_from((None, *map(vector, range(5))))),
    )
