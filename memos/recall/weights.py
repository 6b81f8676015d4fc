"""What each signal weighs in a score. The numbers are those of a linear model: a score of one more means that a memory
is e times as likely to be what was asked for (docs/decisions/0018-how-recall-ranks.md has how they were found, and what
each adds).
"""

from collections.abc import Mapping

WEIGHTS: Mapping[str, float] = {
    "meaning": 0.62,
    "words": 0.1,
    "passage": 0.2,
    "answer": 0.28,
    "following": 0.15,
    "person": 1.8,
    "self": 0.8,
    "asking": -1.5,
    "timed": 2.2,
    "period": 2.5,
    "role": 1.0,
    "anchor": 0.7,
    "replaced": -1.0,
}
REPEATS = 3.0  # less for each better hit that says the same
SCALE = 12.0  # of the sum, in a score
