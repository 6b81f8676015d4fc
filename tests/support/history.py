"""The history checker: what clients were told, held against what the database ended up with.

Pure: it takes a client log and the final rows (`tests.support.evidence` reads the rows) and names every broken promise.
A history is what writers did to conversations of the `echo` generator, whose answers list the turns that the state
they came from had taken in, after everything has drained. Refuses histories with rollbacks or forks, whose line of
turns is no longer the line of seqs: it would have to guess.

Every rule is proven by a planted bug (`tests/faults/test_history.py`).
"""

import hashlib
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from memos.generation.echo import MAX_TURNS_HELD, MAX_TURNS_SHOWN, held_turns, turn_fingerprint
from memos.kernel.canonical import commitment
from memos.kernel.version import broken_links
from tests.support.rows import Attempt, History, TurnRow

# What has taken effect: the client was, or may have been, told so. A failed turn has not.
EFFECTIVE = frozenset({"answered", "applied", "skipped", "cancelled"})
_ANSWER = re.compile(r"echo (\d+) \[(\.\.\. )?([^\]]*)\]")


@dataclass(frozen=True, slots=True)
class Violation:
    rule: str
    detail: str

    def __str__(self) -> str:
        return f"{self.rule}: {self.detail}"


Rule = Callable[[History], Iterator[str]]


def check(history: History) -> list[Violation]:
    """Every broken promise, by the name of its rule; empty for a history that kept them all."""
    strange = {version.operation for version in history.versions} - {"create", "advance"}
    if strange:
        raise ValueError(f"histories with {sorted(strange)} are not understood")
    return [Violation(rule.__name__, detail) for rule in RULES for detail in rule(history)]


# -- what clients were told ----------------------------------------------------------------------------------------


def acknowledged_turn_lost(history: History) -> Iterator[str]:
    """What a client was told is there is there, unchanged, and in the memory (P1)."""
    for attempt in history.attempts:
        if not attempt.acknowledged:
            continue
        told = _told(attempt)
        turn = history.turn.get(told["id"])
        if turn is None:
            yield f"turn {told['id']} was acknowledged to key {attempt.key} and does not exist"
            continue
        kept = (turn.conversation_id, turn.seq, turn.input, turn.output, turn.base_number, turn.lag)
        memory = told["memory"]
        if kept != (
            told["conversation_id"], told["seq"], told["input"], told["output"], memory["state_version"], memory["lag"]
        ):  # fmt: skip
            yield f"turn {turn.id} is not what was acknowledged to key {attempt.key}"
        if turn.status != ("cancelled" if told["status"] == "cancelled" else "applied"):
            yield f"turn {turn.id} was acknowledged as {told['status']} to key {attempt.key} and is {turn.status}"


def key_took_effect_twice(history: History) -> Iterator[str]:
    """One key, one effect (P2): by the turn's own key, and by its input, which no two keys share."""
    for name in ("idempotency_key", "input"):
        taken = Counter(getattr(turn, name) for turn in history.turns if turn.status in EFFECTIVE)
        yield from (f"{name} {value!r} has {count} turns" for value, count in taken.items() if value and count > 1)


def same_key_other_bytes(history: History) -> Iterator[str]:
    """A retry is answered with the same bytes, and they are the stored ones (P2)."""
    told: dict[str, bytes] = {}
    for attempt in history.attempts:
        if attempt.acknowledged and attempt.body is not None:
            if told.setdefault(attempt.key, attempt.body) != attempt.body:
                yield f"key {attempt.key} was answered with different bytes"
    stored = {row.key: row for row in history.keys}
    for key, body in told.items():
        if key not in stored or stored[key].status != 201 or stored[key].body != body:
            yield f"key {key} does not hold the bytes that its client was given"


def key_left_in_flight(history: History) -> Iterator[str]:
    """After the drain no key is held by a turn that came to nothing."""
    for row in history.keys:
        if row.status is None:
            yield f"key {row.key} is still held by turn {row.turn_id}"


def turn_nobody_asked_for(history: History) -> Iterator[str]:
    asked = {(attempt.conversation_id, attempt.input, attempt.key) for attempt in history.attempts}
    for turn in history.turns:
        if (turn.conversation_id, turn.input, turn.idempotency_key) not in asked:
            yield f"turn {turn.id} has an input, a key or a conversation that no client sent together"


# -- the line of turns ---------------------------------------------------------------------------------------------


def seq_repeated(history: History) -> Iterator[str]:
    places = Counter((turn.conversation_id, turn.seq) for turn in history.turns)
    yield from (f"{count} turns have seq {seq} of {where}" for (where, seq), count in places.items() if count > 1)


def seq_missing(history: History) -> Iterator[str]:
    """A place in the line is taken by the turn that exists, or not at all."""
    for where, line in history.line.items():
        missing = set(range(1, line[-1].seq + 1)) - {turn.seq for turn in line}
        if missing:
            yield f"{where} has no turns {sorted(missing)}"


def turn_not_settled(history: History) -> Iterator[str]:
    """After the drain every turn has ended: in the memory, failed or cancelled."""
    for turn in history.turns:
        if turn.status not in ("applied", "failed", "cancelled"):
            yield f"turn {turn.id} (seq {turn.seq}) is still {turn.status}"


def turn_not_applied_once(history: History) -> Iterator[str]:
    """A turn in the memory has one version, which it names; any other turn has none."""
    made = Counter(version.turn_id for version in history.versions if version.operation == "advance")
    for turn in history.turns:
        wanted = 1 if turn.status == "applied" else 0
        if made[turn.id] != wanted:
            yield f"turn {turn.id} is {turn.status} and has {made[turn.id]} versions"
        if wanted:
            written = history.version.get(turn.written_version_id or "")
            if written is None or written.turn_id != turn.id or written.turn_seq != turn.seq:
                yield f"turn {turn.id} names {turn.written_version_id} as its version, which is not"
        elif turn.written_version_id is not None:
            yield f"turn {turn.id} is {turn.status} and names a version"


def job_missing(history: History) -> Iterator[str]:
    """Every turn that changes the memory recorded its job, in the transaction that acknowledged it."""
    recorded = Counter(job.turn_id for job in history.jobs)
    for turn in history.turns:
        if turn.status in ("answered", "applied") and recorded[turn.id] != 1:
            yield f"turn {turn.id} is {turn.status} and has {recorded[turn.id]} jobs"


def job_left_open(history: History) -> Iterator[str]:
    for job in history.jobs:
        if job.status != "done":
            yield f"job {job.id} of {job.subject} is {job.status} after the drain"


# -- the line of versions ------------------------------------------------------------------------------------------


def chain_broken(history: History) -> Iterator[str]:
    """One unbroken, hashed line per cube (P3), beginning with the first version of a conversation's state."""
    for versions in history.by_cube.values():
        yield from broken_links([version.link() for version in versions])
        previous: str | None = None
        for version in versions:
            if version.parent_id != previous:
                yield f"{version.id} has parent {version.parent_id}, and {previous} comes before it"
            if (version.operation == "create") != (version.number == 0):
                yield f"{version.id} is number {version.number} and a {version.operation}"
            previous = version.id


def states_out_of_order(history: History) -> Iterator[str]:
    """States take turns in strictly in order of seq."""
    for cube_id, versions in history.by_cube.items():
        seqs = [version.turn_seq for version in versions if version.operation == "advance"]
        if None in seqs or seqs != sorted({seq for seq in seqs if seq is not None}):
            yield f"cube {cube_id} took turns in as {seqs}"


def edge_wrong(history: History) -> Iterator[str]:
    """Lineage says what the chain says: each advance came from the version before it, and nothing else did."""
    wanted = {(v.id, v.parent_id or "", "advances") for v in history.versions if v.operation == "advance"}
    found = {(edge.child_id, edge.parent_id, edge.relation) for edge in history.edges}
    yield from (f"{child} -> {parent} ({relation}) is missing" for child, parent, relation in sorted(wanted - found))
    yield from (f"{child} -> {parent} ({relation}) is not true" for child, parent, relation in sorted(found - wanted))


def head_not_newest(history: History) -> Iterator[str]:
    for cube in history.cubes:
        versions = history.by_cube.get(cube.id, [])
        newest = versions[-1] if versions else None
        if newest is None or (cube.head_version_id, cube.head_number) != (newest.id, newest.number):
            yield f"cube {cube.id} has head {cube.head_number} and newest version {newest and newest.number}"
    with_cube = {cube.conversation_id for cube in history.cubes}
    yield from (f"conversation {one} has no state cube" for one in history.line if one not in with_cube)


def payload_damaged(history: History) -> Iterator[str]:
    """The stored bytes are those the version was made with, and the chain commits to them."""
    for version in history.versions:
        if commitment(version.nonce, version.payload_sha256, version.written) != version.commitment:
            yield f"{version.id} does not commit to its payload"
        if version.payload != "blob":
            continue
        payload = history.payloads.get(version.blob_id or "")
        if payload is None:
            yield f"{version.id} has lost its payload {version.blob_id}"
        elif hashlib.sha256(payload).hexdigest() != version.payload_sha256 or len(payload) != version.size_bytes:
            yield f"{version.id} has a payload that is not the one it was made with"


def state_holds_wrong_turns(history: History) -> Iterator[str]:
    """Each state holds exactly the turns up to its own, read from the payload itself."""
    for versions in history.by_cube.values():
        for version in versions:
            if version.payload != "blob" or (payload := history.payloads.get(version.blob_id or "")) is None:
                continue
            line = history.line.get(version.conversation_id or "", [])
            expected = _numbered(t for t in line if t.status == "applied" and t.seq <= (version.turn_seq or 0))
            try:
                held = held_turns(payload)
            except Exception as error:  # a damaged payload is named by its own rule as well
                yield f"{version.id} cannot be read: {error}"
                continue
            if held != expected[-MAX_TURNS_HELD:]:
                yield f"{version.id} (turn {version.turn_seq}) holds {_short(held)}, not {_short(expected)}"


# -- what answers read ---------------------------------------------------------------------------------------------


def latest_read_stale_state(history: History) -> Iterator[str]:
    """A `latest` answer came from a state that holds exactly every earlier effective turn."""
    for turn, held, earlier in _answers(history, "latest"):
        if turn.lag != 0 or held != _numbered(earlier):
            yield f"turn {turn.id} (seq {turn.seq}, lag {turn.lag}) read {_short(held)} of {len(earlier)} earlier turns"


def eventual_read_not_prefix(history: History) -> Iterator[str]:
    """An `eventual` answer came from a state that holds the first of the earlier turns, in order."""
    for turn, held, earlier in _answers(history, "eventual"):
        if held != _numbered(earlier)[: len(held)]:
            yield f"turn {turn.id} (seq {turn.seq}) read {_short(held)}, which is no beginning of its line"


def lag_untrue(history: History) -> Iterator[str]:
    """The lag is how many earlier turns were not settled: those missing from the state, and any that failed later."""
    for turn, held, earlier in _answers(history, "eventual"):
        missing = len(earlier) - len(held)
        came_to_nothing = turn.seq - 1 - len(earlier)
        if turn.lag is None or not missing <= turn.lag <= missing + came_to_nothing:
            yield f"turn {turn.id} (seq {turn.seq}) claims lag {turn.lag}; its state lacked {missing} turns"


def read_not_recorded(history: History) -> Iterator[str]:
    """An answer names the version it read, and that version's state is the one its text reveals (P10)."""
    recorded = {(row.turn_id, row.version_id) for row in history.reads}
    for consistency in ("latest", "eventual"):
        for turn, held, _ in _answers(history, consistency):
            base = history.version.get(turn.base_version_id or "")
            if base is None or base.conversation_id != turn.conversation_id or base.number != turn.base_number:
                yield f"turn {turn.id} names {turn.base_version_id} ({turn.base_number}) as what it read"
            elif (turn.id, base.id) not in recorded:
                yield f"turn {turn.id} read {base.id} and turn_reads does not say so"
            elif base.number != len(held):
                yield f"turn {turn.id} claims version {base.number} and answered from a state of {len(held)} turns"


RULES: tuple[Rule, ...] = (
    acknowledged_turn_lost, key_took_effect_twice, same_key_other_bytes, key_left_in_flight, turn_nobody_asked_for,
    seq_repeated, seq_missing, turn_not_settled, turn_not_applied_once, job_missing, job_left_open,
    chain_broken, states_out_of_order, edge_wrong, head_not_newest, payload_damaged, state_holds_wrong_turns,
    latest_read_stale_state, eventual_read_not_prefix, lag_untrue, read_not_recorded,
)  # fmt: skip


def _told(attempt: Attempt) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(attempt.body or b"{}")
    return told


def _answers(history: History, consistency: str) -> Iterator[tuple[TurnRow, list[tuple[int, str]], list[TurnRow]]]:
    """(turn, what its state held, the earlier turns in the memory at the end) of every answer of that consistency."""
    for line in history.line.values():
        earlier: list[TurnRow] = []
        for turn in line:
            if turn.status in ("answered", "applied"):
                if turn.consistency == consistency:
                    yield turn, _revealed(turn.output or "", earlier), list(earlier)
                earlier.append(turn)


def _revealed(output: str, earlier: list[TurnRow]) -> list[tuple[int, str]]:
    """The turns an answer lists. Beyond those it shows, an answer only counts: the count stands for the oldest."""
    match = _ANSWER.match(output)
    if match is None:
        return [(-1, output[:40])]
    shown = [(int(number), mark) for number, _, mark in (item.partition(":") for item in match[3].split())]
    hidden = int(match[1]) - len(shown)
    if bool(match[2]) != (hidden > 0) or (hidden > 0 and len(shown) != MAX_TURNS_SHOWN):
        return [(-1, output[:40])]
    return _numbered(earlier[:hidden]) + shown


def _numbered(turns: Iterable[TurnRow]) -> list[tuple[int, str]]:
    return [(number, _mark(turn.input)) for number, turn in enumerate(turns, 1)]


@lru_cache(maxsize=1_000_000)
def _mark(text: str) -> str:
    return turn_fingerprint(text)


def _short(held: list[tuple[int, str]]) -> str:
    text = " ".join(f"{number}:{mark}" for number, mark in held)
    return f"[{text}]" if len(text) < 80 else f"[{text[:30]} ... {text[-40:]}]"
