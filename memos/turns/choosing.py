"""Which of the memories that were found go into an answer, and in what order. Pure.

Notable choices:

* What says nothing beyond the question goes: the question itself, asked before, and a second memory of the same words
  (the newer one stays). A question that somebody asked tells less than a statement and comes after all of them.
* The order is from the newest to the oldest, whatever was most relevant. A model that writes texts into a memory one
  after the other writes the newest last, and what is written last wins (decision 0027 has the figures).
* Episodes of the very conversation take part: its state holds them, and they keep an older memory of another
  conversation from being the newest word on a thing.
* A memory goes whole or not at all. One that does not fit into what is left of the budget makes way for smaller ones.
"""

import unicodedata
from collections.abc import Collection, Iterator, Sequence

from memos.generation.prompting import tokens_of
from memos.recall.items import Item
from memos.recall.query import Hit
from memos.recall.words import plain, stem_hashes

MORE = 4  # how many are looked at for each one that is wanted
# How a question without its mark begins.
_WANTING = frozenset(
    """
    are can could did do does give has have how is list name please recall remind repeat say show tell was were what
    when where which who whose why will would
    """.split()
)
_ASKS = ("?", "\uff1f", "\u061f", "\u2e2e")


def chosen(hits: Sequence[Hit], question: str, *, top_k: int, most_tokens: int) -> list[Hit]:
    """At most `top_k` of `hits`, which are the best first, in `most_tokens` together; the newest first."""
    kept: list[Hit] = []
    left = most_tokens
    told = list(_telling(hits, question))
    for hit in [*(hit for hit in told if not _asks(hit.item)), *(hit for hit in told if _asks(hit.item))]:
        cost = tokens_of(hit.item.text)
        if len(kept) < top_k and cost <= left:
            kept.append(hit)
            left -= cost
    return sorted(kept, key=lambda hit: _age(hit.item), reverse=True)


def not_overruled(hits: Sequence[Hit], question: str, own: Collection[str]) -> list[Hit]:
    """Without what the conversation has since spoken of itself: memories from elsewhere that have no word of the
    question which a later statement of the user in one of the conversations `own` has not. For models that read
    memories beside a state and cannot tell which of two is meant to hold. Beside what tells something itself, nothing
    that shares a word with it."""
    asked = set(stem_hashes(plain(question)))
    if not _wants(question):  # it tells something itself: who is told the old along with the new repeats the old
        return [hit for hit in hits if not asked.intersection(stem_hashes(plain(hit.item.text)))]
    ours = [
        (_age(hit.item), asked.intersection(stem_hashes(plain(hit.item.text))))
        for hit in hits
        if hit.item.conversation_id in own and hit.item.role == "user" and not _asks(hit.item)
    ]

    def overruled(item: Item) -> bool:
        shared = asked.intersection(stem_hashes(plain(item.text)))
        return bool(shared) and any(shared <= words and age > _age(item) for age, words in ours)

    return [hit for hit in hits if hit.item.conversation_id in own or not overruled(hit.item)]


def _wants(text: str) -> bool:
    return any(mark in text for mark in _ASKS) or not _WANTING.isdisjoint(plain(text)[:2])


def _telling(hits: Sequence[Hit], question: str) -> Iterator[Hit]:
    """In their order, one of each wording: the newest, in the place of the best."""
    newest: dict[str, Hit] = {}
    for hit in hits:
        words = _plain(hit.item.text)
        if words not in newest or _age(hit.item) > _age(newest[words].item):
            newest[words] = hit  # a key that is there keeps its place
    newest.pop(_plain(question), None)
    yield from newest.values()


def _asks(item: Item) -> bool:
    return item.role == "user" and item.text.rstrip().endswith(_ASKS)


def _age(item: Item) -> tuple[float, float, str]:
    return item.at, item.created_at, item.cube_id


def _plain(text: str) -> str:
    """The words alone, whatever their case and width, and what stands between them."""
    folded = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(char if char.isalnum() else " " for char in folded).split()) or text
