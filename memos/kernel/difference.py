"""What differs between two texts: line by line as people read it, and word by word as programs do.

Lines are matched first and words inside the lines that were replaced, so a long text costs little. Matching is bounded:
beyond `MOST_PAIRS` equal pairs a part is said to be replaced as a whole, which is true, and `coarse` says so.
"""

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

MOST_PAIRS = 400_000  # of equal lines or words, one from each side: what the matcher looks at
_WORD = re.compile(r"\w+\s*|[^\w\s]\s*|\s+")
Action = Literal["equal", "insert", "delete", "replace"]


@dataclass(frozen=True, slots=True)
class Operation:
    """One piece. All `before` together are the one text, all `after` the other."""

    action: Action
    before: str
    after: str


@dataclass(frozen=True, slots=True)
class TextDifference:
    unified: str
    operations: tuple[Operation, ...]
    coarse: bool


def text_difference(before: str, after: str, names: tuple[str, str], context: int = 3) -> TextDifference:
    """`names` of the two texts stand in the head of the unified form."""
    one, other = before.splitlines(keepends=True), after.splitlines(keepends=True)
    unified = _unified(one, other, names, context)
    operations: list[Operation] = []
    coarse = False
    for action, a, b in _matched(one, other):
        if action != "replace":
            _add(operations, action, a, b)
            continue
        words = _WORD.findall("".join(a)), _WORD.findall("".join(b))
        coarse = coarse or _pairs(*words) > MOST_PAIRS
        for inner, c, d in _matched(*words):
            _add(operations, inner, c, d)
    return TextDifference(unified, tuple(operations), coarse or _pairs(one, other) > MOST_PAIRS)


def _unified(one: list[str], other: list[str], names: tuple[str, str], context: int) -> str:
    if _pairs(one, other) > MOST_PAIRS:
        head = [f"--- {names[0]}\n", f"+++ {names[1]}\n", f"@@ -1,{len(one)} +1,{len(other)} @@\n"]
        lines = [*head, *(f"-{line}" for line in one), *(f"+{line}" for line in other)]
    else:
        lines = list(difflib.unified_diff(one, other, *names, n=context))
    # As patch writes it: a text may end without the end of a line.
    return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)


def _matched(one: Sequence[str], other: Sequence[str]) -> Iterator[tuple[Action, Sequence[str], Sequence[str]]]:
    if _pairs(one, other) > MOST_PAIRS:
        yield "replace", one, other
        return
    matcher = difflib.SequenceMatcher(None, one, other, autojunk=False)
    for action, a, b, c, d in matcher.get_opcodes():
        yield action, one[a:b], other[c:d]


def _pairs(one: Sequence[str], other: Sequence[str]) -> int:
    there = Counter(other)
    return sum(count * there[item] for item, count in Counter(one).items())


def _add(operations: list[Operation], action: Action, before: Sequence[str], after: Sequence[str]) -> None:
    """Joins what follows the same action, so that equal lines and equal words are one piece."""
    made = Operation(action, "".join(before), "".join(after))
    if operations and operations[-1].action == action:
        last = operations.pop()
        made = Operation(action, last.before + made.before, last.after + made.after)
    operations.append(made)
