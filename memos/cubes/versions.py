"""Makes versions: the hash, the commitment and the columns of one, ready to insert. Knows no SQL.

What a version says of the user is in its payload and in `written`, the words that went into each slot. Both are bound
by the commitment and neither by the hash itself, so they can be erased and the chain still verifies.
"""

import secrets
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import RowMapping

from memos.generation.engine import SlotWrite
from memos.generation.port import StateRef
from memos.kernel.canonical import commitment, sha256_hex
from memos.kernel.version import VersionFacts, version_hash
from memos.kit.errors import BadRequest, Unavailable
from memos.kit.ids import new_id

# What goes when a version is erased: everything in its row that holds, or lets one test a guess at, what was said.
ERASED_WITH_PAYLOAD = frozenset({"nonce", "blob_id", "content", "payload_sha256", "written", "metadata"})
# Of a version's metadata, what its caller wrote into it: it goes with the payload too.
CALLERS_METADATA = "user"
GATE_DIGITS = 6
Operation = Literal[
    "create", "revise", "advance", "merge", "split", "convert", "distil", "rollback", "fork", "import", "migrate"
]


class PayloadErased(BadRequest):
    """What this version held was erased."""

    code = "payload_erased"
    status = 410
    hint = "Its hash and its place in the chain are all that is left; read another version."


class PayloadThinned(Unavailable):
    """The payload is kept as a recipe and is being made again (see `memos.cubes.recipes`)."""

    code = "payload_thinned"
    hint = "Ask again as Retry-After says."
    retry_after_s = 1.0

    def __init__(self, version_ids: Sequence[str] = ()) -> None:
        super().__init__(f"the payload of version {version_ids[0]} is to be made again" if version_ids else None)
        self.version_ids = tuple(version_ids)


@dataclass(frozen=True, slots=True)
class Payload:
    """Where a version's bytes are: the model's start state, a blob, or text in the row."""

    place: Literal["start", "blob", "text"]
    sha256: str
    size_bytes: int
    blob_id: str | None = None
    content: str | None = None


@dataclass(frozen=True, slots=True)
class VersionStep:
    """What a new version is and why. A conversation's state also says which conversation, epoch and turn."""

    cube_id: str
    operation: Operation
    payload: Payload
    created_by: str
    fingerprint: str | None = None  # of the model that made it and that alone can read it; none for text
    conversation_id: str | None = None
    epoch: int | None = None
    turn_id: str | None = None
    turn_seq: int | None = None
    metadata: dict[str, Any] = field(default_factory=dict)
    written: list[dict[str, Any]] | None = None
    valid_from: datetime | None = None  # world time: since when, and until when, it was so
    valid_to: datetime | None = None


def version_columns(step: VersionStep, parent: RowMapping | None, *, at: datetime) -> dict[str, Any]:
    """The row of the version after `parent` (None: the first), hashed and committed to. `at` is the database's time,
    read under the lock that makes it the next one (`moment` in `memos.cubes.store`)."""
    nonce = secrets.token_bytes(32)
    sealed = commitment(nonce, step.payload.sha256, step.written)
    facts = VersionFacts(
        cube_id=step.cube_id,
        number=0 if parent is None else parent["number"] + 1,
        operation=step.operation,
        fingerprint=step.fingerprint,
        conversation_id=step.conversation_id,
        epoch=step.epoch,
        turn_id=step.turn_id,
        created_at=timestamp(at),
        created_by=step.created_by,
        valid_from=None if step.valid_from is None else timestamp(step.valid_from),
        valid_to=None if step.valid_to is None else timestamp(step.valid_to),
    )
    parent_hash = None if parent is None else parent["hash"]
    return {
        "id": new_id("ver"),
        "cube_id": step.cube_id,
        "number": facts.number,
        "operation": step.operation,
        "parent_id": None if parent is None else parent["id"],
        "parent_hash": parent_hash,
        "hash": version_hash(parent_hash, facts, sealed),
        "commitment": sealed,
        "nonce": nonce,
        "payload": step.payload.place,
        "blob_id": step.payload.blob_id,
        "content": step.payload.content,
        "payload_sha256": step.payload.sha256,
        "size_bytes": step.payload.size_bytes,
        "fingerprint": step.fingerprint,
        "metadata": step.metadata,
        "written": step.written,
        "conversation_id": step.conversation_id,
        "epoch": step.epoch,
        "turn_id": step.turn_id,
        "turn_seq": step.turn_seq,
        "valid_from": step.valid_from,
        "valid_to": step.valid_to,
        "created_at": at,
        "created_by": step.created_by,
    }


def written_column(written: Sequence[SlotWrite]) -> list[dict[str, Any]]:
    """Slot writes as they are stored and committed to."""
    # Rounded, and never -0.0, so that a number read back from the database is the number that was committed to.
    return [
        asdict(write) | {"gate": round(write.gate, GATE_DIGITS) + 0.0, "words": list(write.words)} for write in written
    ]


def text_payload(content: str) -> Payload:
    """Text kept in the row itself."""
    body = content.encode()
    return Payload("text", sha256_hex(body), len(body), content=content)


def payload_of(version: RowMapping) -> Payload:
    """The same bytes again, for a version that restores or forks another. Raises PayloadErased,
    PayloadThinned."""
    refuse_gone(version)
    return Payload(
        place=version["payload"],
        sha256=version["payload_sha256"],
        size_bytes=version["size_bytes"],
        blob_id=version["blob_id"],
        content=version["content"],
    )


def state_ref(version: RowMapping) -> StateRef:
    """How the generator is told which state to read. Raises PayloadErased, PayloadThinned."""
    refuse_gone(version)
    return StateRef(
        fingerprint=version["fingerprint"],
        sha256=version["payload_sha256"],
        blob_key=None if version["blob_id"] is None else blob_key(version["blob_id"]),
    )


def refuse_gone(version: RowMapping) -> None:
    # A state that is only about to be read comes without its place; it has a hash unless it was erased.
    if version["payload_sha256"] is None:
        raise PayloadErased(f"the payload of version {version['id']} was erased")
    if version.get("thinned"):  # a head never is, and comes without it
        raise PayloadThinned([version["id"]])


def blob_key(blob_id: str) -> str:
    """Spread over 256 folders by the id's last, random, byte."""
    return f"{blob_id[-2:]}/{blob_id}"


def timestamp(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="microseconds")
