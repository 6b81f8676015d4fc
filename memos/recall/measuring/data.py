"""Questions with known evidence, from a file.

The form of our own, for data of any kind (unknown names are ignored):

    {"scopes": [{"id": "...",
                 "memories": [{"id": "m1", "text": "...", "at": "2023-05-08T13:56:00Z", "speaker": "...", "role": "...",
                               "thread": "...", "valid_to": "...", "superseded": false, "tags": [], "metadata": {}}],
                 "questions": [{"text": "...", "evidence": ["m1"], "kind": "...", "now": "..."}]}]}

Of a memory only id and text are needed; times are RFC 3339; `now` is by default a day after the last memory.

LoCoMo's own file (a list of conversations with `qa`) is read as it is: each session is a thread; categories 1 to 4 are
multi-hop, temporal, open-domain and single-hop, and 5, whose questions have no answer, is left out.

A question whose evidence is malformed, unknown or missing is not asked about what cannot be found: what is left out is
counted (`Skipped`).
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from memos.kit.errors import StartupError
from memos.recall.items import Item

DAY_S = 86_400.0
KINDS = {1: "multi-hop", 2: "temporal", 3: "open-domain", 4: "single-hop"}
_TURN = re.compile(r"D\d+:\d+")
_SESSION = re.compile(r"session_(\d+)")


class UnreadableData(StartupError):
    """The file holds no questions that can be asked."""

    code = "unreadable_data"
    hint = "`memos bench recall --help` says which forms are read."


@dataclass(frozen=True, slots=True)
class Question:
    text: str
    evidence: tuple[str, ...]  # cube ids
    kind: str
    now: float


@dataclass(frozen=True, slots=True)
class Scope:
    """`items` have no vectors yet."""

    id: str
    items: tuple[Item, ...]
    questions: tuple[Question, ...]


@dataclass(slots=True)
class Skipped:
    malformed_evidence: int = 0
    unknown_evidence: int = 0
    without_evidence: int = 0


@dataclass(frozen=True, slots=True)
class Data:
    scopes: tuple[Scope, ...]
    skipped: Skipped = field(default_factory=Skipped)


def load(path: Path) -> Data:
    """Raises UnreadableData."""
    try:
        given = json.loads(path.read_text(encoding="utf-8"))
        skipped = Skipped()
        made = _locomo(given, skipped) if isinstance(given, list) else _own(given, skipped)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise UnreadableData(f"{path}: {type(error).__name__}: {error}") from error
    scopes = tuple(scope for scope in made if scope.items and scope.questions)
    if not scopes:
        raise UnreadableData(f"{path}: no scope with memories and questions")
    return Data(scopes, skipped)


def _own(given: Mapping[str, Any], skipped: Skipped) -> list[Scope]:
    scopes = []
    for number, scope in enumerate(given["scopes"]):
        items = tuple(_item(place, memory) for place, memory in enumerate(scope["memories"]))
        last = max((item.at for item in items), default=0.0)
        questions = [
            Question(
                str(one["text"]),
                tuple(map(str, one["evidence"])),
                str(one.get("kind", "all")),
                _seconds(one.get("now"), last + DAY_S),
            )
            for one in scope["questions"]
        ]
        scopes.append(Scope(str(scope.get("id", number)), items, _answerable(questions, items, skipped)))
    return scopes


def _item(place: int, memory: Mapping[str, Any]) -> Item:
    at = _seconds(memory.get("at"), 0.0)
    role, speaker = memory.get("role"), memory.get("speaker")
    return Item(
        cube_id=str(memory["id"]),
        version_id=str(memory["id"]),
        version=1,
        text=str(memory["text"]),
        at=at,
        created_at=at + place * 1e-3,  # of one moment, in the order of the file
        valid_to=None if memory.get("valid_to") is None else _seconds(memory["valid_to"], 0.0),
        speaker=speaker if speaker is not None else role,
        role=role,
        thread=memory.get("thread"),
        semantic_type=memory.get("semantic_type"),
        tags=tuple(memory.get("tags", ())),
        metadata=memory.get("metadata", {}),
        superseded=bool(memory.get("superseded", False)),
    )


def _locomo(given: Sequence[Mapping[str, Any]], skipped: Skipped) -> list[Scope]:
    scopes = []
    for conversation in given:
        items = tuple(_turns(conversation["conversation"]))
        now = max(item.at for item in items) + DAY_S
        questions = []
        for asked in conversation["qa"]:
            kind = KINDS.get(asked["category"])
            if kind is None:
                continue
            named = tuple(asked.get("evidence", ()))
            proper = tuple(dict.fromkeys(one for one in named if _TURN.fullmatch(one)))
            skipped.malformed_evidence += sum(not _TURN.fullmatch(one) for one in named)
            questions.append(Question(asked["question"], proper, kind, now))
        scopes.append(Scope(conversation["sample_id"], items, _answerable(questions, items, skipped)))
    return scopes


def _turns(conversation: Mapping[str, Any]) -> Iterator[Item]:
    numbers = sorted(int(found.group(1)) for name in conversation if (found := _SESSION.fullmatch(name)))
    for number in numbers:
        at = _spoken(conversation[f"session_{number}_date_time"])
        for place, turn in enumerate(conversation[f"session_{number}"]):
            yield Item(
                cube_id=turn["dia_id"],
                version_id=turn["dia_id"],
                version=1,
                text=turn["text"],
                at=at,
                created_at=at + place * 1e-3,
                speaker=turn["speaker"],
                thread=f"session {number}",
                semantic_type="episode",
            )


def _answerable(questions: Sequence[Question], items: Sequence[Item], skipped: Skipped) -> tuple[Question, ...]:
    known = {item.cube_id for item in items}
    kept = []
    for question in questions:
        evidence = tuple(one for one in question.evidence if one in known)
        skipped.unknown_evidence += len(question.evidence) - len(evidence)
        skipped.without_evidence += not evidence
        if evidence:
            kept.append(Question(question.text, evidence, question.kind, question.now))
    return tuple(kept)


def _seconds(moment: str | None, otherwise: float) -> float:
    if moment is None:
        return otherwise
    found = datetime.fromisoformat(moment)
    return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()


def _spoken(moment: str) -> float:
    """As LoCoMo writes it: "1:56 pm on 8 May, 2023"."""
    return datetime.strptime(moment, "%I:%M %p on %d %B, %Y").replace(tzinfo=UTC).timestamp()
