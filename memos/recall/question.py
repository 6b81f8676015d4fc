"""What a question asks for, read once before anything is looked up."""

from dataclasses import dataclass

import numpy as np

from memos.recall.people import People
from memos.recall.query import Asked
from memos.recall.rows import ASSISTANT, USER
from memos.recall.view import View
from memos.recall.when import When, when
from memos.recall.words import plain, stem_hashes


@dataclass(frozen=True, slots=True)
class Question:
    """`words`: the stems that are looked for, each once; without the names of speakers, which `names` has. `speaker`:
    the number of the one speaker who is asked about."""

    words: tuple[int, ...]
    names: tuple[int, ...]
    speaker: int | None
    role: int
    when: When
    history: bool


def read(asked: Asked, view: View) -> Question:
    people = view.names.people(asked.text)
    times = when(asked.text, asked.now)
    return Question(
        words=tuple(dict.fromkeys(stem_hashes(plain(people.rest)))),
        names=tuple(dict.fromkeys(stem_hashes(people.names))),
        speaker=_only(people, view),
        role={"user": USER, "assistant": ASSISTANT}.get(people.role or "", 0),
        when=times,
        history=asked.history or times.history,
    )


def _only(people: People, view: View) -> int | None:
    """Of two who are named, either may be the one who tells."""
    return view.speakers.get(people.speakers[0]) if len(people.speakers) == 1 else None


def stems(text: str) -> np.ndarray[tuple[int], np.dtype[np.int64]]:
    return np.array(list(dict.fromkeys(stem_hashes(plain(text)))), np.int64)
