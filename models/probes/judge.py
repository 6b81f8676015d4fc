"""Whether an answer is right. Pure functions of text; an answer is compared word by word, without punctuation.

Notable choices
* A right answer has the wanted value and no other value told in the conversation: saying two is not knowing one.
* Capitals count only where the probe is about them (`gives_as_written`): a sentence begins with a capital anyway.
"""

import re
from collections.abc import Iterable, Sequence

_WORD = re.compile(r"[^\W_]+(?:['-][^\W_]+)*")
DOES_NOT_KNOW = ("don't know", "do not know", "haven't told", "have not told", "not told me")


def words_of(text: str) -> list[str]:
    """Lower-case words; a possessive 's is dropped from its word."""
    return [w.removesuffix("'s") for w in _WORD.findall(text.lower())]


def has(answer: str, value: str) -> bool:
    """Whether the words of `value` stand in the answer, next to each other and in order."""
    words, wanted = words_of(answer), words_of(value)
    return bool(wanted) and any(words[i : i + len(wanted)] == wanted for i in range(len(words) - len(wanted) + 1))


def gives(answer: str, value: str, others: Iterable[str] = ()) -> bool:
    """Whether the answer gives this value and none of the others."""
    same = words_of(value)
    return has(answer, value) and not any(has(answer, other) for other in others if words_of(other) != same)


def gives_as_written(answer: str, value: str, others: Iterable[str] = ()) -> bool:
    """The same, and the value is written as it was told, capital by capital."""
    written = re.search(rf"(?<!\w){re.escape(value)}(?!\w)", answer)
    return written is not None and gives(answer, value, others)


def lists(answer: str, items: Sequence[str]) -> bool:
    """Whether the items stand in the answer in their order each once, with nothing but "and" and commas between."""
    said = [w for w in words_of(answer) if w != "and"]
    wanted = [w for item in items for w in words_of(item) if w != "and"]
    places = [i for i in range(len(said) - len(wanted) + 1) if said[i : i + len(wanted)] == wanted]
    once = all(said.count(word) == wanted.count(word) for word in wanted)
    return len(places) == 1 and once and said[places[0] :] == wanted


def abstains(answer: str, told: Iterable[str] = ()) -> bool:
    """Whether the answer says that it does not know, and gives none of the told values."""
    unsure = any(phrase in answer.lower() for phrase in DOES_NOT_KNOW)
    return unsure and not invents(answer, told)


def invents(answer: str, told: Iterable[str]) -> bool:
    """Whether the answer gives any of the told values, none of which was asked for."""
    return any(has(answer, value) for value in told)
