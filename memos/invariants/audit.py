"""The audit log is one unbroken chain, and ends where it was seen to end.

It is walked a part at a time, from the first link to the last and then from the first again, so that what was checked
once is not believed for ever. A broken chain is not passed: every run finds it.
"""

from typing import ClassVar

from memos.audit.verification import place, verify
from memos.invariants import store
from memos.invariants.registry import Finding, Tools, register
from memos.kit.unit_of_work import UnitOfWork

LINKS = 10_000  # in one run


@register
class AuditChain:
    name: ClassVar[str] = "audit_chain"
    what: ClassVar[str] = "The audit log is one unbroken chain, and its end was not cut."

    def __init__(self, tools: Tools) -> None:
        self._tools = tools

    async def check(self, work: UnitOfWork) -> list[Finding]:
        after = place(await store.place(work, self.name) or None)
        told = await verify(self._tools.database, self._tools.noted, work.tenant_id, after=after, most=LINKS)
        if told.broken is not None:
            return [Finding(told.broken.audit_id or work.tenant_id, f"link {told.broken.seq}: {told.broken.what}")]
        further = told.head if not told.complete else None
        await store.set_place(work, self.name, f"{further.seq}:{further.hash}" if further else "")
        return []
