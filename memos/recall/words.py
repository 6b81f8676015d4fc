"""Texts as numbers: each word in its stem, each stem as the 64 bits of its hash.

Notable choices:

* An index holds hashes and no words: it is smaller, and what was erased cannot be read out of it. The hash is Python's
  own, which differs from process to process; no index outlives one.
* Words without content (STOP) are left out of texts and of questions alike.
* The stemmer is the Snowball one for English; words of other languages pass through it almost untouched. Where a script
  writes no spaces each sign is a word.
"""

import re
from collections.abc import Iterable, Sequence

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
Hashes = NDArray[np.int64]


def plain(text: str) -> list[str]:
    """The words of a text in lower case, those without content too."""
    return _WORD.findall(text.casefold().replace("\u2019", "'"))


def stem_hashes(words: Iterable[str]) -> list[int]:
    """Of words as `plain` gives them; those without content are left out."""
    stemmer = Stemmer.Stemmer("english", 0)
    return [hash(stemmer.stemWord(word)) for word in words if word not in STOP]


def batch(texts: Sequence[str]) -> tuple[Hashes, NDArray[np.int32]]:
    """The stems of all texts in one line, int64 [w], and how many each text has, int32 [n]."""
    stemmer = Stemmer.Stemmer("english", 0)
    known: dict[str, int | None] = dict.fromkeys(STOP)
    line: list[int] = []
    lengths = np.empty(len(texts), np.int32)
    for number, text in enumerate(texts):
        before = len(line)
        for word in plain(text):
            if word in known:
                found = known[word]
            else:
                found = known[word] = hash(stemmer.stemWord(word))
            if found is not None:
                line.append(found)
        lengths[number] = len(line) - before
    return np.array(line, np.int64), lengths
