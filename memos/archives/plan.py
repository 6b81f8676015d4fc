"""What an archive becomes here: the same rows under new ids, each cube's versions linked anew, and one more version at
its head, whose operation is `import`, that says what it is from.

Notable choices:

* A version's hash covers its ids, so a copy has another hash than its original; the commitment, which binds the
  payload, stays. What the originals' ids and hashes were stands in the metadata of the head.
* Each version keeps its operation, its turn and its time: a conversation can be rolled back, forked and explained as
  far back as it goes, and its state rebuilt by replay for another model (decision 0007).
* Of what was erased only the place was archived: it is left out, and the versions after it move up.
"""

import secrets
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from memos.archives.format import Archive
from memos.archives.rows import TABLES, ConversationRow, CubeRow, EventRow, TurnRow, VersionRow
from memos.archives.verify import ERASED, as_columns
from memos.cubes.chain import link_of
from memos.kernel.canonical import commitment
from memos.kernel.version import version_hash
from memos.kit.ids import new_id

CONVERSATIONS, TURNS, CUBES, VERSIONS, EDGES, READS, EVENTS = TABLES
Columns = dict[str, Any]


@dataclass(slots=True)
class Plan:
    """Rows ready to be inserted. `blobs`: for each new blob the hash of its payload."""

    names: dict[str, str]  # archived id -> id here
    conversations: list[Columns] = field(default_factory=list)
    cubes: list[Columns] = field(default_factory=list)
    turns: list[Columns] = field(default_factory=list)
    settled: list[Columns] = field(default_factory=list)
    versions: list[Columns] = field(default_factory=list)
    edges: list[tuple[str, str, str]] = field(default_factory=list)
    reads: list[Columns] = field(default_factory=list)
    events: list[Columns] = field(default_factory=list)
    episodes: list[tuple[str, str]] = field(default_factory=list)  # cubes, each with the turn whose words it is
    blobs: dict[str, str] = field(default_factory=dict)
    pending: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))  # turns to be taken in
    rebuilding: list[str] = field(default_factory=list)
    left_out: int = 0


def plan(archive: Archive, *, by: str, now: datetime, user_id: str | None = None) -> Plan:
    """Of an archive that was verified. `user_id`: whose memory it becomes; else it stays its own user's."""
    return _Planner(archive, by, now, user_id).made()


class _Planner:
    def __init__(self, archive: Archive, by: str, now: datetime, user_id: str | None) -> None:
        self._archive = archive
        self._by = by
        self._now = now
        self._user_id = user_id
        self._kept: dict[str, list[VersionRow]] = defaultdict(list)
        for version in archive.rows(VERSIONS):
            if version.payload != ERASED:
                self._kept[version.cube_id].append(version)
        names: dict[str, str] = {}
        self._numbers: dict[str, int] = {}
        self._at: dict[str | None, int] = {}  # the number of each version here
        self._states: dict[str, str] = {}  # conversation -> the version that stands for its import
        self._plan = Plan(names)
        self._cubes = [cube for cube in archive.rows(CUBES) if self._kept[cube.id]]
        for cube in self._cubes:
            names[cube.id] = new_id("cube")
            for number, version in enumerate(self._kept[cube.id]):
                names[version.id] = new_id("ver")
                self._numbers[version.id] = number
        held = {cube.conversation_id for cube in self._cubes}
        for conversation in archive.rows(CONVERSATIONS):
            if conversation.id in held:
                names[conversation.id] = new_id("conv")
        for turn in archive.rows(TURNS):
            if turn.conversation_id in held:
                names[turn.id] = new_id("turn")

    def made(self) -> Plan:
        made = self._plan
        made.left_out = len(self._archive.rows(VERSIONS)) - sum(len(kept) for kept in self._kept.values())
        events: dict[str, list[EventRow]] = defaultdict(list)
        for event in self._archive.rows(EVENTS):
            events[event.cube_id].append(event)
        conversations = {row.id: row for row in self._archive.rows(CONVERSATIONS) if row.id in made.names}
        for cube in self._cubes:
            self._cube(cube, events[cube.id], conversations.get(cube.conversation_id or ""))
        for conversation in _parents_first(conversations):
            self._conversation(conversation)
        for turn in self._archive.rows(TURNS):
            if turn.id in made.names:
                self._turn(turn)
        for edge in self._archive.rows(EDGES):
            if edge.child in made.names and edge.parent in made.names:
                made.edges.append((made.names[edge.child], made.names[edge.parent], edge.relation))
        for read in self._archive.rows(READS):
            if read.turn_id in made.names and read.version_id in made.names:
                made.reads.append({**read.model_dump(), **self._renamed(read, "turn_id", "version_id")})
        return made

    def _renamed(self, row: Any, *names: str) -> Columns:
        """The new ids of these columns; None for what is not here."""
        return {name: self._plan.names.get(getattr(row, name) or "") for name in names}

    def _everywhere(self, value: Any) -> Any:
        """A JSON value with every archived id in it renamed."""
        if isinstance(value, str):
            return self._plan.names.get(value, value)
        if isinstance(value, list):
            return [self._everywhere(item) for item in value]
        if isinstance(value, Mapping):
            return {self._everywhere(key): self._everywhere(item) for key, item in value.items()}
        return value

    def _whose(self, user_id: str | None) -> str | None:
        return user_id if self._user_id is None or user_id is None else self._user_id

    def _conversation(self, row: ConversationRow) -> None:
        parent = self._plan.names.get(row.parent_id or "")
        new = self._plan.names[row.id]
        self._plan.conversations.append({
            **row.model_dump(), "id": new, "user_id": self._whose(row.user_id), "parent_id": parent,
            "parent_seq": None if parent is None else row.parent_seq,
        })  # fmt: skip
        head = next(cube for cube in self._cubes if cube.conversation_id == row.id and cube.kind == "activation")
        if (self._kept[head.id][-1].turn_seq or 0) < row.replay_to:
            self._plan.rebuilding.append(new)

    def _cube(self, row: CubeRow, events: list[EventRow], conversation: ConversationRow | None) -> None:
        new = self._plan.names[row.id]
        blobs: dict[str, str] = {}  # one for each payload of a cube: what is erased with it is no other's
        previous: Columns | None = None
        for version in self._kept[row.id]:
            previous = self._version(version, previous, blobs)
        head = self._imported(row, self._kept[row.id][-1], previous or {}, events, conversation)
        if conversation is not None and row.kind == "activation":
            self._states[conversation.id] = head["id"]
        self._plan.cubes.append({
            **row.model_dump(), **self._renamed(row, "conversation_id"), "id": new, "user_id": self._whose(row.user_id),
            "context": self._everywhere(row.context), "head_version_id": head["id"], "head_number": head["number"],
        })  # fmt: skip
        turn_id = self._plan.names.get(str(self._kept[row.id][0].metadata.get("turn")))
        if turn_id is not None and turn_id.startswith("turn_") and row.kind == "plaintext":
            self._plan.episodes.append((new, turn_id))
        for event in events:
            renamed = {"id": new_id("event"), "cube_id": new, "details": self._everywhere(event.details)}
            self._plan.events.append({**event.model_dump(), **renamed})

    def _version(self, row: VersionRow, previous: Columns | None, blobs: dict[str, str]) -> Columns:
        columns = as_columns(row) | self._renamed(row, "id", "cube_id", "conversation_id", "turn_id")
        columns["number"] = self._numbers[row.id]
        columns["metadata"] = self._everywhere(row.metadata)
        columns["blob_id"] = None
        if row.payload == "blob" and row.payload_sha256 is not None:
            columns["blob_id"] = blobs.setdefault(row.payload_sha256, new_id("blob"))
            self._plan.blobs[columns["blob_id"]] = row.payload_sha256
        return self._linked(columns, previous)

    def _imported(
        self, cube: CubeRow, last: VersionRow, previous: Columns, events: list[EventRow],
        conversation: ConversationRow | None,
    ) -> Columns:  # fmt: skip
        """The version at the head: the same payload, and where it is from."""
        nonce = secrets.token_bytes(32)
        latest = max([last.created_at, *(event.created_at for event in events)])
        columns = previous | {
            "id": new_id("ver"),
            "number": previous["number"] + 1,
            "operation": "import",
            "nonce": nonce,
            "commitment": commitment(nonce, previous["payload_sha256"]),
            "written": None,
            "metadata": (previous["metadata"] if cube.kind == "plaintext" else {}) | {
                "archive": self._archive.manifest.sha256, "cube_id": cube.id, "version_id": last.id, "hash": last.hash,
            },
            "epoch": previous["epoch"] if conversation is None else conversation.epoch,
            "turn_id": None,
            "created_at": max(self._now, latest + timedelta(microseconds=1)),
            "created_by": self._by,
        }  # fmt: skip
        made = self._linked(columns, previous)
        state = conversation is not None and cube.kind == "activation"
        for relation in ("revises", "imports", *(("restores",) if state else ())):
            self._plan.edges.append((made["id"], previous["id"], relation))
        return made

    def _linked(self, columns: Columns, previous: Columns | None) -> Columns:
        columns["parent_id"] = None if previous is None else previous["id"]
        columns["parent_hash"] = None if previous is None else previous["hash"]
        link = link_of(columns)
        columns["hash"] = version_hash(link.parent_hash, link.facts, link.commitment)
        self._plan.versions.append(columns)
        self._at[columns["id"]] = columns["number"]
        return columns

    def _turn(self, row: TurnRow) -> None:
        renamed = self._renamed(row, "id", "conversation_id", "base_version_id", "written_version_id")
        if row.status == "applied" and renamed["written_version_id"] is None:
            # What it wrote was erased and made anew: the state at the import holds it.
            renamed["written_version_id"] = self._states[row.conversation_id]
        said = row.output is not None and row.status not in ("failed", "cancelled")
        # A turn that was taken over from a conversation which is not here is one of its own.
        origin = "import" if row.origin == "merge" else row.origin
        first = "answered" if said else row.status
        self._plan.turns.append({**row.model_dump(), **renamed, "origin": origin, "first_status": first})
        base, written = renamed["base_version_id"], renamed["written_version_id"]
        self._plan.settled.append({
            "id": renamed["id"], "status": row.status, "base_version_id": base, "written_version_id": written,
            "base_number": self._at.get(base), "written_number": self._at.get(written),
        })  # fmt: skip
        if row.status == "answered":
            self._plan.pending[renamed["conversation_id"]].append(renamed["id"])


def _parents_first(conversations: Mapping[str, ConversationRow]) -> list[ConversationRow]:
    ordered: dict[str, ConversationRow] = {}
    for row in conversations.values():
        line = [row]
        while (parent := conversations.get(line[-1].parent_id or "")) is not None and parent.id not in ordered:
            line.append(parent)
        ordered |= {one.id: one for one in reversed(line)}
    return list(ordered.values())
