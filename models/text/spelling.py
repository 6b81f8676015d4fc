"""Turns tokens back into text, piece by piece: spacing, capitals, and "a" before a vowel.

Notable choices
* A spelling is a value: `add` returns the text that became certain, and the next spelling. "a" waits for its noun.
"""

from dataclasses import dataclass

_CLOSING = frozenset((".", ",", "!", "?", ";", ":", ")", "'s", "%"))
_ENDS = frozenset(".!?")


@dataclass(frozen=True, slots=True)
class Spelling:
    """Where in the answer we are."""

    empty: bool = True  # nothing written yet
    starts: bool = True  # the next word begins a sentence
    article: bool = False  # "a" was read and not yet written
    tight: bool = False  # no space before the next word

    def add(self, surface: str, symbol: bool = False) -> tuple[str, "Spelling"]:
        """Text for one more word; `symbol` says that it is punctuation."""
        if surface == "a" and not self.article:
            return "", Spelling(self.empty, self.starts, True, self.tight)
        lead = ""
        starts, empty, tight = self.starts, self.empty, self.tight
        if self.article:
            article = "an" if surface[:1].lower() in "aeiou" else "a"
            lead = ("" if empty or tight else " ") + (article.capitalize() if starts else article)
            starts = empty = tight = False
        word = surface[:1].upper() + surface[1:] if starts and not symbol else surface
        space = "" if empty or tight or surface in _CLOSING else " "
        ends = surface in _ENDS
        return lead + space + word, Spelling(False, ends or (starts and symbol), False, surface == "(")

    def finish(self) -> str:
        """What is left to say when no word follows."""
        return ("" if self.empty or self.tight else " ") + ("A" if self.starts else "a") if self.article else ""
