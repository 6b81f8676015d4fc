"""Ends a text before the first of some stop texts, and never shows a part of one.

Notable choices
* A value: `add` returns what became safe to show, and the next `Stop`. What may yet grow into a stop text is held back.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Stop:
    """`texts` are not empty; `held` was said and may be the beginning of one of them."""

    texts: Sequence[str]
    held: str = ""
    met: bool = False

    def add(self, piece: str) -> tuple[str, "Stop"]:
        """Text to show after one more piece."""
        text = self.held + piece
        found = [at for at in (text.find(wanted) for wanted in self.texts) if at >= 0]
        if found:
            return text[: min(found)], Stop(self.texts, "", met=True)
        for at in range(max(0, len(text) - max(map(len, self.texts), default=0)), len(text)):
            if any(wanted.startswith(text[at:]) for wanted in self.texts):
                return text[:at], Stop(self.texts, text[at:])
        return text, Stop(self.texts)
