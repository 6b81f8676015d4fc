"""What must be true of an archive's content before anything of it is written: its chains are unbroken, every version
holds what it committed to, every payload is there and is of the model that its version names, and nothing refers to
what could not be. Refuses by the name of the member.
"""

import json
from collections import Counter, defaultdict
from typing import Any

from memos.archives.format import Archive, ArchiveTampered, payload_member
from memos.archives.rows import TABLES, CubeRow, VersionRow
from memos.cubes.chain import link_of, unbound
from memos.kernel.canonical import canonical_json
from memos.kernel.version import broken_links
from memos.kit.blobs import sha256_hex

CONVERSATIONS, TURNS, CUBES, VERSIONS = list(TABLES)[:4]
ERASED = "erased"


def verify(archive: Archive) -> None:
    """Raises ArchiveTampered."""
    for member in (CONVERSATIONS, TURNS, CUBES, VERSIONS):
        twice = [found for found, count in Counter(row.id for row in archive.rows(member)).items() if count > 1]
        if twice:
            raise ArchiveTampered.at(member, f"{twice[0]} is there more than once")
    chains = _chains(archive)
    sizes = {member.name: member.bytes for member in archive.manifest.members}
    for cube in archive.rows(CUBES):
        chain = chains.get(cube.id, [])
        _check_chain(cube, chain)
        for version in chain:
            _check_payload(archive, sizes, cube, version)
    _check_conversations(archive)
    named = {version.payload_sha256 for version in archive.rows(VERSIONS) if version.payload == "blob"}
    stated = {m.name for m in archive.manifest.members} - TABLES.keys()
    for member in sorted(stated - {payload_member(sha256) for sha256 in named}):
        raise ArchiveTampered.at(member, "no version names it")


def _chains(archive: Archive) -> dict[str, list[VersionRow]]:
    cubes = {cube.id for cube in archive.rows(CUBES)}
    chains: dict[str, list[VersionRow]] = defaultdict(list)
    for version in archive.rows(VERSIONS):
        if version.cube_id not in cubes:
            raise ArchiveTampered.at(VERSIONS, f"{version.id}: its cube is not in the archive")
        chains[version.cube_id].append(version)
    return chains


def _check_chain(cube: CubeRow, chain: list[VersionRow]) -> None:
    if cube.lifecycle == ERASED or not chain:
        raise ArchiveTampered.at(CUBES, f"{cube.id} has nothing to be taken in")
    plain = [as_columns(version) for version in chain]
    wrong = broken_links([link_of(columns) for columns in plain])
    wrong += [found for found in map(unbound, plain) if found]
    if wrong:
        raise ArchiveTampered.at(VERSIONS, wrong[0])


def _check_payload(archive: Archive, sizes: dict[str, int], cube: CubeRow, version: VersionRow) -> None:
    holds = (version.nonce is not None, version.payload_sha256 is not None)
    if holds != ((False, False) if version.payload == ERASED else (True, True)):
        raise ArchiveTampered.at(VERSIONS, f"{version.id}: it is neither whole nor erased")
    if (version.content is not None) != (version.payload == "text"):
        raise ArchiveTampered.at(VERSIONS, f"{version.id}: its text is not where its payload is said to be")
    if version.content is not None and len(version.content.encode()) != version.size_bytes:
        raise ArchiveTampered.at(VERSIONS, f"{version.id}: its text has another size than it states")
    if version.payload != "blob" or version.payload_sha256 is None:
        return
    member = payload_member(version.payload_sha256)
    if member not in sizes:
        raise ArchiveTampered.at(member, f"it is missing; {version.id} names it")
    if sizes[member] != version.size_bytes:
        raise ArchiveTampered.at(member, f"it has another size than {version.id} states")
    if cube.kind != "plaintext" and version.fingerprint is not None:
        if not made_by(archive.payload(version.payload_sha256), version.fingerprint):
            raise ArchiveTampered.at(member, f"it is not of the model {version.fingerprint[:12]}, as {version.id} says")


def _check_conversations(archive: Archive) -> None:
    conversations = {row.id: row for row in archive.rows(CONVERSATIONS)}
    states = Counter(
        cube.conversation_id for cube in archive.rows(CUBES) if cube.kind == "activation" and cube.conversation_id
    )
    for conversation_id in conversations:
        if states[conversation_id] != 1:
            raise ArchiveTampered.at(CUBES, f"{conversation_id} has {states[conversation_id]} states")
        seen = {conversation_id}
        while (parent := conversations[conversation_id].parent_id) in conversations:
            if parent in seen:
                raise ArchiveTampered.at(CONVERSATIONS, f"{conversation_id} is forked from itself")
            seen.add(parent)
            conversation_id = parent
    for cube in archive.rows(CUBES):
        if cube.conversation_id is not None and cube.conversation_id not in conversations:
            raise ArchiveTampered.at(CUBES, f"{cube.id}: its conversation is not in the archive")
    places = Counter((turn.conversation_id, turn.seq) for turn in archive.rows(TURNS))
    for turn in archive.rows(TURNS):
        conversation = conversations.get(turn.conversation_id)
        if conversation is None or turn.seq >= conversation.next_seq or places[turn.conversation_id, turn.seq] > 1:
            raise ArchiveTampered.at(TURNS, f"{turn.id} has no place in its conversation")
        if turn.status in ("answered", "applied") and turn.output is None:
            raise ArchiveTampered.at(TURNS, f"{turn.id} is {turn.status} without an answer")
        if turn.status == "superseded" and turn.superseded_epoch is None:
            raise ArchiveTampered.at(TURNS, f"{turn.id} is superseded by nothing")


def as_columns(version: VersionRow) -> dict[str, Any]:
    """As the row in the database has it."""
    columns = version.model_dump()
    return columns | {"nonce": None if version.nonce is None else bytes.fromhex(version.nonce)}


def made_by(payload: bytes, fingerprint: str) -> bool:
    """Whether a payload of tensors says of itself that it is of this model. Every engine writes what it is into one
    entry of the metadata; the fingerprint is its hash, or stands in it."""
    try:
        header = json.loads(payload[8 : 8 + int.from_bytes(payload[:8], "little")])
        entries = header["__metadata__"].values()
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False
    return any(_names(str(entry), fingerprint) for entry in entries)


def _names(entry: str, fingerprint: str) -> bool:
    if fingerprint in entry:
        return True
    try:
        told = json.loads(entry[max(0, entry.find("{")) :])
        return sha256_hex(canonical_json(told)) == fingerprint
    except (ValueError, RecursionError):
        return False
