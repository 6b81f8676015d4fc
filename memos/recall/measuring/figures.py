"""Figures of ranked lists against known evidence.

recall@k       share of a question's evidence among the first k
recall_any@k   (hit) whether any of it is, recall_all@k whether all of it is
mrr            1 / rank of the first that is evidence, 0 beyond the list
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

CUTS = (5, 10, 20)
LONGEST = max(CUTS)
DIGITS = 4
Figures = dict[str, float]


@dataclass(frozen=True, slots=True)
class Answered:
    """One question: its kind, its scope, its evidence, and what a party found, the best first."""

    scope: str
    kind: str
    evidence: tuple[str, ...]
    found: tuple[str, ...]


def figures(answers: Sequence[Answered]) -> Figures:
    """Means over questions; empty for none."""
    if not answers:
        return {}
    sums: Figures = dict.fromkeys(
        [f"{name}@{cut}" for name in ("recall", "recall_any", "recall_all") for cut in CUTS], 0.0
    )
    sums["mrr"] = 0.0
    for answer in answers:
        ranks = [answer.found.index(one) + 1 for one in answer.evidence if one in answer.found]
        for cut in CUTS:
            share = sum(rank <= cut for rank in ranks) / len(answer.evidence)
            sums[f"recall@{cut}"] += share
            sums[f"recall_any@{cut}"] += share > 0
            sums[f"recall_all@{cut}"] += share == 1
        sums["mrr"] += 1 / min(ranks) if ranks else 0.0
    return {name: round(value / len(answers), DIGITS) for name, value in sums.items()}


def by_group(answers: Sequence[Answered]) -> Mapping[str, object]:
    """All together, by kind of question and by scope; with how many there are."""
    kinds = list(dict.fromkeys(answer.kind for answer in answers))
    scopes = list(dict.fromkeys(answer.scope for answer in answers))
    return {
        "questions": len(answers),
        **figures(answers),
        "kinds": {
            kind: {"questions": len(own), **figures(own)}
            for kind in kinds
            if (own := [answer for answer in answers if answer.kind == kind])
        },
        "recall@10_by_scope": {
            scope: figures([answer for answer in answers if answer.scope == scope])["recall@10"] for scope in scopes
        },
    }
