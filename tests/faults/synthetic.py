"""Valid histories without a service: the same values, hashes and states that the real one would leave, from a seed.

A slow, obvious twin of the turn protocol: turns take their places, some fail, answers read a state that may lag, and
the state takes turns in in order. What it makes is what the history checker must accept.
"""

import json
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from memos.cubes.versions import Payload, VersionStep, version_columns, written_column
from memos.generation.echo import EchoEngine, EchoState
from memos.kernel.canonical import sha256_hex
from memos.kit.ids import new_id
from tests.support.rows import Attempt, CubeRow, EdgeRow, History, JobRow, KeyRow, ReadRow, TurnRow, VersionRow

ENGINE = EchoEngine()
START = ENGINE.start_state()


@dataclass
class _Rows:
    attempts: list[Attempt] = field(default_factory=list)
    turns: list[TurnRow] = field(default_factory=list)
    versions: list[VersionRow] = field(default_factory=list)
    cubes: list[CubeRow] = field(default_factory=list)
    edges: list[EdgeRow] = field(default_factory=list)
    reads: list[ReadRow] = field(default_factory=list)
    keys: list[KeyRow] = field(default_factory=list)
    jobs: list[JobRow] = field(default_factory=list)
    payloads: dict[str, bytes] = field(default_factory=dict)


def make(seed: int, *, conversations: int = 2, turns: int = 6) -> History:
    """At least one retried acknowledgement, one failed turn and one lagging answer in every conversation of 6."""
    chance = random.Random(seed)
    rows = _Rows()
    for _ in range(conversations):
        _Conversation(rows, chance).run(turns)
    return History(
        attempts=tuple(rows.attempts), turns=tuple(rows.turns), versions=tuple(rows.versions), cubes=tuple(rows.cubes),
        edges=tuple(rows.edges), reads=tuple(rows.reads), keys=tuple(rows.keys), jobs=tuple(rows.jobs),
        payloads=rows.payloads,
    )  # fmt: skip


class _Conversation:
    def __init__(self, rows: _Rows, chance: random.Random) -> None:
        self._rows = rows
        self._chance = chance
        self._id = new_id("conv")
        self._cube = new_id("cube")
        self._states: list[EchoState] = [START]
        self._line: list[VersionRow] = []
        payload = ENGINE.dump_state(START)
        self._append("create", Payload("start", sha256_hex(payload), len(payload)), None)

    def run(self, turns: int) -> None:
        for seq in range(1, turns + 1):
            # The third place fails, the fourth lags: every history has one of each.
            self._take(seq, fails=seq == 3 or self._chance.random() < 0.1, lags=seq == 4)
        head = self._line[-1]
        self._rows.versions += self._line
        self._rows.cubes.append(CubeRow(self._cube, self._id, head.id, head.number))

    def _take(self, seq: int, *, fails: bool, lags: bool) -> None:
        turn_id, text, key = new_id("turn"), f"input {self._id} {seq}", f"key-{self._id}-{seq}"
        eventual = lags or self._chance.random() < 0.5
        consistency = "eventual" if eventual else "latest"
        asked = Attempt(key, self._id, text, consistency)
        blank = TurnRow(
            turn_id, self._id, seq, "failed", text, None, consistency, key, None, None, None, None
        )  # fmt: skip
        if fails:
            self._rows.turns.append(blank)
            self._rows.attempts.append(replace(asked, status=503, code="unavailable"))
            return
        lag = self._chance.randint(min(1, int(lags)), len(self._line) - 1) if eventual and len(self._line) > 1 else 0
        base = self._line[-1 - lag]
        output = "".join(ENGINE.generate(self._states[-1 - lag], text))
        body = _body(blank, output, base.number, lag)
        written = self._advance(turn_id, seq, text, output)
        self._rows.turns.append(
            replace(
                blank,
                status="applied",
                output=output,
                base_version_id=base.id,
                base_number=base.number,
                lag=lag,
                written_version_id=written.id,
            )
        )
        self._rows.reads.append(ReadRow(turn_id, base.id))
        self._rows.keys.append(KeyRow(key, turn_id, 201, body))
        self._rows.jobs.append(JobRow(new_id("job"), self._id, turn_id, "done"))
        if self._chance.random() < 0.5:
            self._rows.attempts.append(asked)  # its answer never arrived
        for _ in range(2 if seq == 2 else self._chance.choice((1, 2))):
            self._rows.attempts.append(replace(asked, status=201, body=body))

    def _advance(self, turn_id: str, seq: int, text: str, output: str) -> VersionRow:
        made = ENGINE.advance(self._states[-1], text, output)
        self._states.append(made.state)
        payload, blob_id, parent = ENGINE.dump_state(made.state), new_id("blob"), self._line[-1]
        self._rows.payloads[blob_id] = payload
        place = Payload("blob", sha256_hex(payload), len(payload), blob_id)
        row = self._append("advance", place, (turn_id, seq), written_column(made.written))
        self._rows.edges.append(EdgeRow(row.id, parent.id, "advances"))
        return row

    def _append(
        self, operation: Any, payload: Payload, turn: tuple[str, int] | None, written: Any = None
    ) -> VersionRow:
        step = VersionStep(
            cube_id=self._cube, operation=operation, payload=payload, fingerprint=ENGINE.fingerprint,
            conversation_id=self._id, epoch=0, created_by="test",
            turn_id=turn[0] if turn else None, turn_seq=turn[1] if turn else None,
            written=written,
        )  # fmt: skip
        parent: Any = None
        if self._line:
            last = self._line[-1]
            parent = {"id": last.id, "number": last.number, "hash": last.hash}
        columns = version_columns(step, parent, at=datetime.now(UTC))
        row = VersionRow(**{name: columns[name] for name in VersionRow.__slots__})
        self._line.append(row)
        return row


def _body(turn: TurnRow, output: str, number: int, lag: int) -> bytes:
    told = {
        "id": turn.id, "conversation_id": turn.conversation_id, "seq": turn.seq, "status": "answered",
        "input": turn.input, "output": output, "memory": {"read": [], "state_version": number, "lag": lag},
    }  # fmt: skip
    return json.dumps(told).encode()
