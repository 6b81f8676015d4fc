"""What a family of facts is, and the notation its phrasings are written in.

KK stands for the key (a noun), VV for the value, WW for some other value, OO for a person other than the speaker.
"my KK" and "your KK" become "Anna's dog" where a fact is another person's. SS is the slot of a frame.

A block of text has parts, each on lines of its own after its name; phrasings are separated by bars:
    told, asked, corrected   whole sentences
    clauses, things          what can follow "Do you know ..." ("where I live") and "Tell me ..." ("my address")
    first                    questions about the value before all corrections
    theirs told, theirs asked   sentences for another person's fact that "my KK" does not give
    replies                  answer, noted, changed, unknown, and where there are `first` questions their answer
"""

from dataclasses import dataclass

PARTS = ("told", "asked", "corrected", "clauses", "things", "first", "theirs told", "theirs asked", "replies")


@dataclass(frozen=True, slots=True)
class Family:
    """Phrasings of one kind of fact. Without keys there is one such fact. `near`: families it is mistaken for."""

    name: str
    keys: tuple[str, ...]
    statements: tuple[str, ...]
    questions: tuple[str, ...]
    corrections: tuple[str, ...]
    answer: str
    noted: str
    changed: str
    unknown: str
    weight: float = 1.0
    clauses: tuple[str, ...] = ()
    things: tuple[str, ...] = ()
    first_asked: tuple[str, ...] = ()
    first_answer: str = ""
    theirs_told: tuple[str, ...] = ()
    theirs_asked: tuple[str, ...] = ()
    owned: bool = False  # another person can have such a fact of the same key
    person: bool = False  # the key is a person, and may be a name
    listed: bool = False  # the value is a list of items
    near: tuple[str, ...] = ()


def bars(text: str) -> tuple[str, ...]:
    """The phrases of a text in which bars separate them; white space does not count."""
    flat = " ".join(text.split())
    return tuple(phrase.strip() for phrase in flat.split(" | ")) if flat else ()


def family(
    name: str,
    text: str,
    keys: tuple[str, ...] = (),
    weight: float = 1.0,
    *,
    owned: bool = False,
    person: bool = False,
    listed: bool = False,
    near: tuple[str, ...] = (),
) -> Family:
    """A family from its block of text. Raises ValueError for a block without all replies."""
    parts: dict[str, list[str]] = {part: [] for part in PARTS}
    part = ""
    for line in text.strip().splitlines():
        if line.strip() in parts:
            part = line.strip()
        else:
            parts[part].append(line)
    said = {part: bars(" ".join(lines)) for part, lines in parts.items()}
    answer, noted, changed, unknown, *first = said["replies"]
    if len(first) != bool(said["first"]):
        raise ValueError(f"{name}: questions about the first value need one answer")
    return Family(
        name,
        keys,
        said["told"],
        said["asked"],
        said["corrected"],
        answer,
        noted,
        changed,
        unknown,
        weight,
        said["clauses"],
        said["things"],
        said["first"],
        first[0] if first else "",
        said["theirs told"],
        said["theirs asked"],
        owned,
        person,
        listed,
        near,
    )
