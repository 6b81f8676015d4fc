"""Chains what was committed to the audit log, one tenant at a time: the task `audit_chain`, which a schedule queues.

Notable choices:

* Rows are written unchained, so nobody waits for the end of the chain. The sequencer takes whatever is not in the chain
  yet, in batches, each in one transaction: killed at any moment it goes on where the last commit left it.
* An advisory lock of the transaction lets one sequencer at a tenant's chain; the keys of the chain (one link per place,
  per row and per predecessor) would refuse a second one too.
* The head of the chain is also noted outside of the database, in the payload store, under a signature: whoever can
  write to the database alone can cut off the chain's end, but not without that being seen. While the noted head is not
  in the chain, nothing more is chained, since that would cover the cut.
"""

import asyncio
import hmac
import json
import time
from dataclasses import dataclass, field
from typing import Literal

from memos.audit import store
from memos.audit.service import Digest
from memos.kernel.audit import START, Link, link_hash
from memos.kernel.canonical import canonical_json
from memos.kit.blobs import Blobs
from memos.kit.db import Database
from memos.kit.errors import MemosError
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox.schedule import Schedule, register

TASK = "audit_chain"
SCHEDULE = register(Schedule("audit_chain", TASK, every_s=10.0))
BATCH = 500
BACK_S = 900.0  # longer than any transaction of ours may live
SWEEP_S = 3600.0  # how often everything is looked at, however old
_DOMAIN = b"memos audit head:"


class AuditChainCut(MemosError):
    """The end of the audit chain is not the one that was noted outside of the database."""

    code = "audit_chain_cut"
    hint = (
        "Somebody removed or rewrote links, or an older database was restored beside a newer payload store. Run `memos "
        "audit verify`; to go on from here all the same, remove the object audit/TENANT.json from the payload store."
    )


@dataclass(frozen=True, slots=True)
class Head:
    seq: int
    hash: str


class Noted:
    """The newest head of each tenant's chain, in the payload store: `audit/TENANT.json`. The one kind of object that is
    written again and again; losing it loses nothing but the proof that the end was not cut."""

    def __init__(self, blobs: Blobs, digest: Digest) -> None:
        self._blobs = blobs
        self._digest = digest

    async def read(self, tenant_id: str) -> Head | None:
        """None if none was noted. Raises AuditChainCut for one that we did not sign."""
        written = await asyncio.to_thread(self._blobs.read, self._key(tenant_id))
        if written is None:
            return None
        try:
            seq, hash_, signature = json.loads(written)
            genuine = hmac.compare_digest(str(signature), self._signature(tenant_id, seq, hash_))
        except (ValueError, TypeError):
            genuine = False
        if not genuine:
            raise AuditChainCut(f"the noted head of the audit chain, {self._key(tenant_id)}, was not signed by us")
        return Head(seq, hash_)

    async def write(self, tenant_id: str, head: Head) -> None:
        body = canonical_json([head.seq, head.hash, self._signature(tenant_id, head.seq, head.hash)])
        await asyncio.to_thread(self._blobs.put, self._key(tenant_id), body)

    def _signature(self, tenant_id: str, seq: int, hash_: str) -> str:
        return self._digest(_DOMAIN + canonical_json([str(tenant_id), seq, hash_])).hex()

    @staticmethod
    def _key(tenant_id: str) -> str:
        return f"audit/{tenant_id}.json"


@dataclass(frozen=True, slots=True)
class SequenceTask:
    """(tenant, schedule) -> settled. Raises AuditChainCut."""

    database: Database
    noted: Noted
    swept: dict[str, float] = field(default_factory=dict)  # when everything was last looked at, by tenant

    async def __call__(self, tenant_id: str, subject: str) -> Literal["settled"]:
        sweeping = time.monotonic() - self.swept.get(tenant_id, -SWEEP_S) >= SWEEP_S
        while await self._batch(tenant_id, None if sweeping else BACK_S):
            pass
        if sweeping:
            self.swept[tenant_id] = time.monotonic()
        return "settled"

    async def _batch(self, tenant_id: str, back_s: float | None) -> bool:
        """True if there may be more."""
        witnessed = await self.noted.read(tenant_id)
        async with self.database.unit_of_work(tenant_id) as work:
            if not await store.lock(work):
                return False  # whoever holds it takes what is there
            links = await _next_links(work, witnessed, back_s)
            if links:
                await store.chain(work, links)
        if links:
            await self.noted.write(tenant_id, Head(links[-1].seq, links[-1].hash))
        return len(links) == BATCH


async def _next_links(work: UnitOfWork, witnessed: Head | None, back_s: float | None) -> list[Link]:
    if witnessed is not None and await store.hash_at(work, witnessed.seq) != witnessed.hash:
        raise AuditChainCut(f"link {witnessed.seq} of the audit chain is gone or is another than the one noted")
    last = await store.last(work)
    seq, previous = (0, START) if last is None else (last["seq"], last["hash"])
    links = []
    for row in await store.take_open(work, back_s=back_s, limit=BATCH):
        seq += 1
        hash_ = link_hash(previous, seq, row)
        links.append(Link(seq, row.id, previous, hash_, row))
        previous = hash_
    return links
