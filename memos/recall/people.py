"""Who is asked about: the speakers of a scope in the words of a question.

Notable choices:

* What is embedded is the question as it would be put to that speaker: "When did Ada move?" becomes "When did I move?".
  Names pull a vector towards greetings ("Hey Ada!"), which say nothing; who is meant is known better from who spoke;
  and those who speak of themselves say "I".
* A speaker is meant by one word of the name that is nobody else's, or by its beginning from three letters on ("Mel" for
  Melanie). A name that is an everyday word ("Will", "May") counts where it has a capital and does not begin
  the question.
* In a scope that knows roles, what "you told me" was said by the assistant, and what "I" or "my" is about by the user.
  "Can you tell me ..." is only politeness.
"""

import re
from dataclasses import dataclass

from memos.recall.words import STOP

ROLES = frozenset("user assistant system tool human ai bot".split())
EVERYDAY = frozenset(
    "angel april art august autumn bill chase chip christian dawn dean drew faith frank grace guy hope hunter jack joy "
    "june july mark may pat penny ray rich rose rusty skip sky sue summer sunny will".split()
)
LEAST_NICKNAME = 3
MOST_NAMES = 2_000  # beyond, beginnings of names are not looked for
_PART = re.compile(r"[^\W_]+")
_WORD = re.compile(r"([^\W_]+)(['\u2019]s\b)?")
_ASKER = re.compile(r"\b(i|me|my|mine|myself)\b", re.IGNORECASE)
_POLITE = re.compile(
    r"^\W*(?:(?:can|could|would|will) you|please)(?: please)? "
    r"(?:remind|tell|show|give|help|let)(?: (?:me|us))?(?: know)?\b",
    re.IGNORECASE,
)
_TOLD = re.compile(
    r"\byou(?:'ve| have| had| ever| just| also| did)*\s+(?:\w+\s+)?"
    r"(?:recommend|suggest|t(?:ell|old)|sa(?:y|id)|mention|g[ai]ve|provid|list|explain|describ|wr[io]te|advi[sc]|propos|"
    r"show|call|find|found|ma[kd]e)",
    re.IGNORECASE,
)
_ASKED = re.compile(r"\b(you|your|yours|yourself)\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class People:
    """`speakers`: who of them is named. `names`: the words that named them, in lower case. `rest`: the question without
    these. `to_embed`: with "I" and "my" instead. `role`: whose words are asked for, "user" or "assistant", where the
    question is about one of the two."""

    speakers: tuple[str, ...]
    names: frozenset[str]
    rest: str
    to_embed: str
    role: str | None


class Names:
    """The words that name the speakers of a scope."""

    def __init__(self) -> None:
        self._whose: dict[str, set[str]] = {}

    def add(self, speaker: str) -> None:
        """What a role is called is nobody's name."""
        if speaker.casefold() not in ROLES:
            for name in _PART.findall(speaker.casefold()):
                self._whose.setdefault(name, set()).add(speaker)

    def people(self, question: str) -> People:
        role = role_of(question)
        named = [(word, whose) for word in _WORD.finditer(question) if (whose := self._meant(word)) is not None]
        if not named:
            return People((), frozenset(), question, question, role)
        cut: list[str] = []
        put: list[str] = []
        end = 0
        for word, _ in named:
            between = question[end : word.start()]
            cut += [between, " "]
            put += [between, "my" if word.group(2) else "I"]
            end = word.end()
        rest = " ".join("".join([*cut, question[end:]]).split())
        if not _PART.search(rest):
            return People((), frozenset(), question, question, role)
        return People(
            tuple(dict.fromkeys(whose for _, whose in named)),
            frozenset(word.group(1).casefold() for word, _ in named),
            rest,
            "".join([*put, question[end:]]),
            role,
        )

    def _meant(self, word: re.Match[str]) -> str | None:
        written = word.group(1)
        name = written.casefold()
        capital = written[0].isupper()
        if (name in STOP or name in EVERYDAY) and not (capital and (word.start() > 0 or word.group(2))):
            return None
        whose = self._whose.get(name)
        if whose is None and capital and len(name) >= LEAST_NICKNAME and len(self._whose) <= MOST_NAMES:
            whose = set().union(*(who for known, who in self._whose.items() if known.startswith(name)))
        return next(iter(whose)) if whose is not None and len(whose) == 1 else None


def role_of(question: str) -> str | None:
    question = _POLITE.sub("", question.replace("\u2019", "'"))
    if _TOLD.search(question):
        return "assistant"
    if _ASKER.search(question):
        return "user"
    return "assistant" if _ASKED.search(question) else None
