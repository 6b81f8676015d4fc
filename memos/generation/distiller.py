"""Who trains deltas: the contract of it. It blocks, so it runs on a thread of its own.

A distiller computes from nothing but its lesson: equal lessons give equal bytes, wherever and however often they are
begun. What it keeps meanwhile is text of users; it keeps it only until the lesson is learned.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass, field
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Lesson:
    """`sources` oldest first: texts, and states as their payloads."""

    run_id: str
    sources: Sequence[str | bytes]
    rank: int
    steps: int
    seed: int


@dataclass(frozen=True, slots=True)
class Trained:
    payload: bytes
    figures: dict[str, float] = field(default_factory=dict)


class Distiller(Protocol):
    def train(self, lesson: Lesson) -> Generator[int, None, Trained]:
        """Yields the step it is at, at least every few seconds. Closing it stops the training, which another call for
        the same run takes up again. Raises NothingToTeach, StateRejected, ModelUnavailable."""
        ...

    def forget(self) -> None:
        """Removes what it keeps of trainings that nobody is at."""
        ...
