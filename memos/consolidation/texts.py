"""What texts say, compared word by word: plain rules that can be explained, and that err on the side of "not the same".
Pure.
"""

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache

import Stemmer

_APOSTROPHE = "\u2019"
_WORD = re.compile(rf"\w+(?:['{_APOSTROPHE}]\w+)*")
_END = re.compile(r"(?<=[.!?])\s+|\n+")
# Words that turn a statement into another one. Texts that differ in them are never the same.
TURNS = frozenset(
    "not no never none neither nor without hardly cannot stopped quit except unless if was were used former longer "
    "before after might maybe perhaps".split()
)
# Words that carry no content by themselves.
STOP = frozenset(
    "a an the is am are be been being 's to of in on at for by with from and i me my mine you your he she it we they "
    "his her its our their this that these those do does did have has had will would just really very so also".split()
)

# Without these a sentence says the same.
FILLING = frozenset("a an the is am are be been being 's just really very so also".split())


def words(text: str) -> list[str]:
    """In lower case and without punctuation."""
    return [word.replace(_APOSTROPHE, "'") for word in _WORD.findall(text.casefold())]


def normalised(text: str) -> str:
    return " ".join(words(text))


def sentences(text: str) -> list[str]:
    return [found.strip() for found in _END.split(text) if _WORD.search(found)]


def turns(found: Iterable[str]) -> Counter[str]:
    """What of these words turns a statement round, each as often as it is there."""
    return Counter("not" if word.endswith("n't") else word for word in found if word in TURNS or word.endswith("n't"))


def numbers(found: Iterable[str]) -> Counter[str]:
    return Counter(word for word in found if any(letter.isdigit() for letter in word))


@lru_cache(maxsize=65_536)
def _stem(word: str) -> str:
    return str(Stemmer.Stemmer("english").stemWord(word.removesuffix("'s")))


def content(found: Iterable[str]) -> Counter[str]:
    return Counter(_stem(word) for word in found if word not in STOP)


def gist(text: str) -> str:
    """The words that say something, stemmed, in their order."""
    return " ".join(_stem(word) for word in words(text) if word not in FILLING)


def same_but_for_words(one: str, other: str) -> bool:
    """Whether two texts say the same, one of them perhaps more of it: the content words of one are all in the other,
    and neither number nor negation differs. "Rome" is not "Paris", however near the sentences lie."""
    a, b = words(one), words(other)
    if turns(a) != turns(b) or numbers(a) != numbers(b):
        return False
    left, right = content(a), content(b)
    return bool(left and right) and (left <= right or right <= left)


def says(text: str, statement: str) -> bool:
    """Whether one sentence of `text` holds the statement: all its words in their order, with the same numbers and
    negations."""
    wanted = words(statement)
    for sentence in sentences(text):
        found = words(sentence)
        if turns(found) == turns(wanted) and numbers(found) == numbers(wanted) and _within(wanted, found):
            return True
    return False


def covers(text: str, source: str) -> bool:
    """Whether `text` says everything that `source` says."""
    return all(says(text, statement) for statement in sentences(source))


def together(texts: Sequence[str]) -> str:
    """One text that says what all of them say: the longest, and from each other one the sentences that are missing."""
    ordered = sorted(texts, key=lambda text: (-len(words(text)), text))
    made = ordered[0].strip()
    for text in ordered[1:]:
        missing = [statement for statement in sentences(text) if not says(made, statement)]
        made = "\n".join([made, *missing])
    return made


def _within(wanted: Sequence[str], found: Sequence[str]) -> bool:
    rest = iter(found)
    return all(word in rest for word in wanted)
