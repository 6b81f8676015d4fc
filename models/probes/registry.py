"""The probes by name. A probe is a function of a `Bench`: it talks, asks, and counts in the bench's tally."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from models.probes.parties import Parties, Talk
from models.probes.script import Script
from models.probes.tally import Tally

Probe = Callable[["Bench"], None]
PROBES: dict[str, Probe] = {}


@dataclass(frozen=True, slots=True)
class Bench:
    """One probe with one seed. `n`: conversations for an ordinary figure; costly ones take a part of it."""

    parties: Parties
    probe: str
    seed: int
    n: int
    tally: Tally

    def script(self, case: object, index: int, *, unseen: bool = False, unseen_frames: bool = False) -> Script:
        """What is said in conversation `index` of a case; the same for equal seeds."""
        rng = random.Random(f"{self.seed} {self.probe} {case} {index}")
        return Script(rng, self.parties.known_words, unseen=unseen, unseen_frames=unseen_frames)

    def talk(self) -> Talk:
        """A new conversation."""
        return self.parties.talk()

    def part(self, share: float) -> int:
        """So many conversations for a costly figure; at least one."""
        return max(1, round(self.n * share))


def register(name: str) -> Callable[[Probe], Probe]:
    """Adds a probe under its name."""

    def add(probe: Probe) -> Probe:
        PROBES[name] = probe
        return probe

    return add
