"""What to do about one user's memories: memories and their vectors in, steps out. Pure: no step is carried out
here.

Notable choices:

* Memories are only compared within what must not be mixed: one agent, one visibility, one sensitivity, one origin and
  one semantic type. A secret is never merged with what is none.
* Near is not enough to be merged. The content words of one text must all be in the other, and neither numbers nor
  negations may differ (`texts.same_but_for_words`): "I live in Rome" lies near "I live in Paris".
* An episode is what happened once; it is folded into facts and neither merged nor superseded.
* A cube takes part in one step of a run. What a step leaves behind is for the next run.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import numpy.typing as npt
from sqlalchemy import RowMapping

from memos.consolidation.contradictions import DETECTORS, Contradiction, Statement
from memos.consolidation.schemas import ConsolidationCreate, StepKind
from memos.consolidation.texts import normalised, same_but_for_words

MOST_IN_ONE = 20  # cubes of one merge
FOLDED_AT_ONCE = 16  # episodes handed to the generator together
BLOCK = 512
MOST_STEPS = 1000  # of one run; what is beyond is found again by the next
EPISODE = "episode"


@dataclass(frozen=True, slots=True)
class Memory:
    """A living plaintext cube of the user, at its head."""

    cube_id: str
    version_id: str
    content: str
    since: datetime  # from when it holds: its valid_from, else when it was written
    written_at: datetime
    valid_to: datetime | None = None
    kin: tuple[Any, ...] = ()  # only memories of the same kin are compared
    episode: bool = False
    sensitivity: str = "normal"
    reads: int = 0
    folded: bool = False
    proposed: bool = False


@dataclass(frozen=True, slots=True)
class Step:
    """`memories` in the order that the step needs: of one that supersedes, the newer and then the older."""

    kind: StepKind
    memories: Sequence[Memory]
    reason: str


Vectors = npt.NDArray[np.float64]


def plan(
    memories: Sequence[Memory], vectors: Vectors, wanted: ConsolidationCreate, *, can_fold: bool, now: datetime
) -> list[Step]:
    """`vectors` has one unit vector per memory, in order."""
    taken: set[str] = set()
    steps: list[Step] = []
    groups: dict[tuple[Any, ...], list[int]] = defaultdict(list)
    for place, memory in enumerate(memories):
        if not memory.episode and memory.since <= now and (memory.valid_to is None or memory.valid_to > now):
            groups[memory.kin].append(place)
    for kind, found in (("supersede", _superseded), ("merge", _merged)):
        if kind in wanted.steps:
            for places in groups.values():
                for step in found(memories, vectors, places, wanted, taken):
                    steps.append(step)
                    taken.update(memory.cube_id for memory in step.memories)
    if "fold" in wanted.steps and can_fold:
        steps += _folded(memories)
    if "propose" in wanted.steps:
        steps += [step for step in _proposed(memories, wanted, now) if step.memories[0].cube_id not in taken]
    return steps[:MOST_STEPS]


def _superseded(
    memories: Sequence[Memory], vectors: Vectors, places: Sequence[int], wanted: ConsolidationCreate, taken: set[str]
) -> Iterator[Step]:
    """Of a chain of three the two older ones each are replaced by the next, in one run."""
    held = [memories[place] for place in places]

    def similarity(one: int, other: int) -> float:
        return float(vectors[places[one]] @ vectors[places[other]])

    statements = [Statement(memory.content, memory.since) for memory in held]
    found: list[Contradiction] = []
    for detector in DETECTORS.values():
        found += detector.detect(statements, similarity)
    replaced: set[int] = set()
    for pair in sorted(found, key=lambda pair: (held[pair.older].since, held[pair.older].cube_id)):
        if pair.older not in replaced:
            replaced.add(pair.older)
            yield Step("supersede", (held[pair.newer], held[pair.older]), pair.reason)


def _merged(
    memories: Sequence[Memory], vectors: Vectors, places: Sequence[int], wanted: ConsolidationCreate, taken: set[str]
) -> Iterator[Step]:
    """The connected parts of the graph of near-duplicates."""
    held = [place for place in places if memories[place].cube_id not in taken]
    plain = [normalised(memories[place].content) for place in held]
    root = list(range(len(held)))

    def find(one: int) -> int:
        while root[one] != one:
            one = root[one]
        return one

    least = dict.fromkeys(root, 1.0)
    for one, other, cosine in _pairs(vectors[held], plain, wanted.similarity):
        if plain[one] == plain[other] or same_but_for_words(memories[held[one]].content, memories[held[other]].content):
            a, b = sorted((find(one), find(other)))
            root[b] = a
            least[a] = min(least[a], least[b], cosine)
    parts: dict[int, list[Memory]] = defaultdict(list)
    for one, place in enumerate(held):
        parts[find(one)].append(memories[place])
    for part, members in parts.items():
        if len(members) > 1:
            oldest = sorted(members, key=lambda memory: (memory.since, memory.cube_id))[:MOST_IN_ONE]
            same = len({normalised(memory.content) for memory in oldest}) == 1
            why = "the same text" if same else f"near-duplicates, cosine at least {least[part]:.2f}"
            yield Step("merge", oldest, f"{len(oldest)} memories say the same: {why}")


def _pairs(vectors: Vectors, plain: Sequence[str], similarity: float) -> Iterator[tuple[int, int, float]]:
    """Those that are near enough, with their cosine, and those whose text is the same however their vectors came out.
    A block of rows at a time: all pairs of thousands would take hundreds of megabytes."""
    for at in range(0, len(plain), BLOCK):
        near = vectors[at : at + BLOCK] @ vectors.T
        for row, other in np.argwhere(near >= similarity - 1e-9):
            if at + row < other:
                yield at + int(row), int(other), float(near[row, other])
    first: dict[str, int] = {}
    for place, found in enumerate(plain):
        if first.setdefault(found, place) != place:
            yield first[found], place, 1.0


def _folded(memories: Sequence[Memory]) -> Iterator[Step]:
    groups: dict[tuple[Any, ...], list[Memory]] = defaultdict(list)
    for memory in sorted(memories, key=lambda memory: (memory.since, memory.cube_id)):
        if memory.episode and not memory.folded:
            groups[memory.kin].append(memory)
    for held in groups.values():
        for at in range(0, len(held), FOLDED_AT_ONCE):
            part = held[at : at + FOLDED_AT_ONCE]
            yield Step("fold", part, f"{len(part)} episodes that no fact came of yet")


def _proposed(memories: Sequence[Memory], wanted: ConsolidationCreate, now: datetime) -> Iterator[Step]:
    """Nothing sensitive: what a delta has learned cannot be shown to some and hidden from others."""
    for memory in memories:
        stable_s = (now - memory.written_at).total_seconds()
        fits = memory.sensitivity == "normal" and not memory.episode and not memory.proposed
        if fits and memory.reads >= wanted.min_reads and stable_s >= wanted.stable_s:
            reason = f"read {memory.reads} times and unchanged for {stable_s / 86_400:.1f} days"
            yield Step("propose", (memory,), reason)


def by_column(columns: RowMapping) -> Memory:
    """A memory from the store's row of it."""
    return Memory(
        cube_id=columns["id"],
        version_id=columns["head_version_id"],
        content=columns["content"],
        since=columns["valid_from"] or columns["created_at"],
        written_at=columns["created_at"],
        valid_to=columns["valid_to"],
        kin=tuple(columns[name] for name in ("agent_id", "visibility", "sensitivity", "origin", "semantic_type")),
        episode=columns["semantic_type"] == EPISODE,
        sensitivity=columns["sensitivity"],
        reads=columns["reads"],
        folded=columns["folded"],
        proposed=columns["proposed"],
    )
