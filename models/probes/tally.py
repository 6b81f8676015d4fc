"""Counts of right answers, and the figures made of them over seeds.

Notable choices
* A figure is one number per party: the mean over the seeds' rates, with the least and the greatest of them and the
  number of questions beside it, so that nobody has to guess whether a difference means anything.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

Judge = Callable[[str], bool]
Key = tuple[str, str]  # case, measure


@dataclass
class Tally:
    """Hits and questions of one probe with one seed, by case and measure, then by party."""

    counts: dict[Key, dict[str, tuple[int, int]]] = field(default_factory=dict)

    def add(self, case: object, measure: str, answers: Mapping[str, str], judge: Judge) -> dict[str, bool]:
        """Judges everybody's answer to one question; returns who was right."""
        right = {party: judge(answer) for party, answer in answers.items()}
        self.count(case, measure, right)
        return right

    def count(self, case: object, measure: str, right: Mapping[str, bool]) -> None:
        """One question whose answers have been judged."""
        parties = self.counts.setdefault((str(case), measure), {})
        for party, hit in right.items():
            hits, total = parties.get(party, (0, 0))
            parties[party] = (hits + bool(hit), total + 1)


def rows_of(probe: str, tallies: Sequence[Tally]) -> list[dict[str, Any]]:
    """One row per case and measure: `{"probe", "case", "measure", "parties": {name: {mean, min, max, questions}}}`."""
    keys = list(dict.fromkeys(key for tally in tallies for key in tally.counts))
    rows = []
    for key in keys:
        found = [tally.counts[key] for tally in tallies if key in tally.counts]
        names = list(dict.fromkeys(name for counts in found for name in counts))
        parties = {name: _spread([counts[name] for counts in found if name in counts]) for name in names}
        rows.append({"probe": probe, "case": key[0], "measure": key[1], "parties": parties})
    return rows


def _spread(counts: Sequence[tuple[int, int]]) -> dict[str, Any]:
    rates = [hits / total for hits, total in counts]
    return {
        "mean": round(sum(rates) / len(rates), 4),
        "min": round(min(rates), 4),
        "max": round(max(rates), 4),
        "questions": sum(total for _, total in counts),
    }
