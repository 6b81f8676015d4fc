"""Texts as numbers: each word in its stem, each stem as the 64 bits of its hash.

Notable choices:

* An index holds hashes and no words, which is smaller. The hash is the same in every process, so that all of them rank
  alike; two words of one scope that share it are not to be expected.
* Words without content (STOP) are left out of texts and of questions alike.
* The stemmer is the Snowball one for English; words of other languages pass through it almost untouched. Where a script
  writes no spaces each sign is a word.
"""

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from hashlib import blake2b

import numpy as np
import Stemmer
from numpy.typing import NDArray

_UNSPACED = r"\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\u0e00-\u0e7f"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:'[^\W_{_UNSPACED}]+)*")
STOP = frozenset(
    """
    a about after again all also am an and any are aren't as at be because been before being below between both but
    by can can't cannot could couldn't did didn't do does doesn't doing don't down during each either else ever few
    for from further get gets got had hadn't has hasn't have haven't having he he'd he'll he's her here here's hers
    herself him himself his how how's i i'd i'll i'm i've if in into is isn't it it's its itself just let let's many
    may me might more most much must my myself no nor not of off oh on once only or other others our ours ourselves
    out over own per really s same shall she she'd she'll she's should shouldn't so some such t than that that's the
    their theirs them themselves then there there's these they they'd they'll they're they've this those through to
    too under until up upon us very was wasn't we we'd we'll we're we've were weren't what what's when when's where
    where's which while who who's whom whose why why's will with without won't would wouldn't yes you you'd you'll
    you're you've your yours yourself yourselves yeah ok okay
    """.split()
)
FIRST_PERSON = frozenset(
    "i i'm i've i'd i'll me my mine myself we we're we've we'd we'll us our ours ourselves".split()
)
TIMES = frozenset(
    """
    yesterday today tonight tomorrow last next ago recently just lately soon day days week weeks weekend weekends month
    months year years morning evening monday tuesday wednesday thursday friday saturday sunday january february march
    april may june july august september october november december spring summer autumn fall winter birthday anniversary
    christmas easter
    """.split()
)
_QUESTION = re.compile(r"[^.!?\n]+\?+")
Hashes = NDArray[np.int64]


def plain(text: str) -> list[str]:
    """The words of a text in lower case, those without content too."""
    return _WORD.findall(text.casefold().replace("\u2019", "'"))


def stem_hashes(words: Iterable[str]) -> list[int]:
    """Of words as `plain` gives them; those without content are left out."""
    stemmer = Stemmer.Stemmer("english", 0)
    return [hashed(stemmer.stemWord(word)) for word in words if word not in STOP]


def hashed(stem: str) -> int:
    return int.from_bytes(blake2b(stem.encode("utf-8", "replace"), digest_size=8).digest(), "big", signed=True)


def batch(texts: Sequence[str]) -> "Batch":
    stemmer = Stemmer.Stemmer("english", 0)
    known: dict[str, int | None] = dict.fromkeys(STOP)
    line: list[int] = []
    lengths = np.empty(len(texts), np.int32)
    traits = np.zeros((len(texts), len(Traits)), np.float32)
    for number, text in enumerate(texts):
        before = len(line)
        words = plain(text)
        for word in words:
            if word in known:
                found = known[word]
            else:
                found = known[word] = hashed(stemmer.stemWord(word))
            if found is not None:
                line.append(found)
        lengths[number] = len(line) - before
        traits[number] = (not FIRST_PERSON.isdisjoint(words), tells_time(words), asking_share(text))
    return Batch(np.array(line, np.int64), lengths, traits)


class Traits(IntEnum):
    """What a text is like, whatever is asked: columns of `Batch.traits`."""

    FIRST_PERSON = 0  # 1 if somebody speaks about themselves
    TIMED = 1  # 1 if it says when something is or was
    ASKING = 2  # share of it that is questions


@dataclass(frozen=True, slots=True)
class Batch:
    """`line`: the stems of all texts in one line, [w]; `lengths`: how many each text has, [n]; `traits`: [n, 3]."""

    line: Hashes
    lengths: NDArray[np.int32]
    traits: NDArray[np.float32]


def tells_time(words: Sequence[str]) -> bool:
    return not TIMES.isdisjoint(words) or any(word[0].isdigit() for word in words)


def asking_share(text: str) -> float:
    if "?" not in text:
        return 0.0
    return min(1.0, sum(map(len, _QUESTION.findall(text))) / len(text))
