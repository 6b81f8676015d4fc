"""Proves that a state can be made again: its turn, taken into the state before it, gives a payload of the same hash.

Step by step the same proof reaches any distance: a state is its oldest kept ancestor's child, grandchild and so on, and
each step that gives its hash gives the next one the bytes it starts from. What is not proven is not said.
"""

from dataclasses import dataclass

from sqlalchemy import RowMapping

from memos.cubes import store as cubes
from memos.cubes.versions import blob_key, state_ref
from memos.generation.port import Generator, ModelMismatch, StateUnreadable
from memos.kit.db import Database
from memos.kit.ids import new_id
from memos.policies import store
from memos.turns import store as turns


@dataclass(frozen=True, slots=True)
class Proof:
    """`scratch_key`: where the replayed payload was written, for the caller to delete."""

    holds: bool
    reason: str
    scratch_key: str | None = None


async def prove(database: Database, generator: Generator, tenant_id: str, version_id: str) -> Proof:
    """Raises ModelUnavailable: then nothing is known, and asking again may help."""
    async with database.unit_of_work(tenant_id) as work:
        version = await cubes.version_by_id(work, version_id)
        parent = await store.parent_state(work, version_id)
        turn = None if version["turn_id"] is None else await turns.get(work, version["turn_id"])
    refusal = _unprovable(version, parent, turn)
    if refusal is not None or parent is None or turn is None:
        return Proof(False, refusal or "kept: what it came from is not known")
    serving = (await generator.identity()).fingerprint
    if serving != version["fingerprint"]:
        return Proof(False, "kept: its model is not the one that serves, so it cannot be replayed")
    scratch = new_id("blob")
    async with database.unit_of_work(tenant_id) as work:
        cubes.insert_blob(work, scratch)
    key = blob_key(scratch)
    try:
        made = await generator.advance(state_ref(parent), turn["input"], turn["output"], key)
    except (StateUnreadable, ModelMismatch) as error:
        return Proof(False, f"kept: the state before it cannot be used ({error.code})", key)
    finally:
        async with database.unit_of_work(tenant_id) as work:
            await store.drop_blob(work, scratch)
    if made.sha256 != version["payload_sha256"]:
        return Proof(False, "kept: replaying its turn gives another hash", key)
    return Proof(True, f"proven: replaying its turn gives its hash; {version['size_bytes']} bytes could go", key)


def _unprovable(version: RowMapping, parent: RowMapping | None, turn: RowMapping | None) -> str | None:
    if parent is None or turn is None:
        return "kept: what it came from is not known"
    if turn["status"] == "erased" or turn["output"] is None:
        return "kept: its turn's words are gone"
    if parent["payload_sha256"] is None or version["payload_sha256"] is None:
        return "kept: its payload, or the one before it, was erased"
    return None
