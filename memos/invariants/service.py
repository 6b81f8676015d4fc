"""Runs the invariants of a tenant, records what they found, and reports it; the task `check_invariants`."""

import time
from collections import defaultdict
from dataclasses import dataclass, field
from typing import Literal

import structlog

from memos.invariants import audit, blobs, chains, recall, rows, store
from memos.invariants.registry import INVARIANTS, Invariant, Tools
from memos.invariants.schemas import FindingView, InvariantState
from memos.kit.errors import MemosError
from memos.kit.metrics import Metrics
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox.schedule import Schedule, register

LOG = structlog.get_logger(__name__)
SCHEDULE = register(Schedule("invariants", "check_invariants", 300.0))
KNOWN = (audit, chains, blobs, rows, recall)  # loading them registers what they hold
SHOWN = 10  # findings of one invariant in a report


@dataclass(frozen=True, slots=True)
class CheckInvariants:
    """Looks at everything, and lets one that cannot look, or has a bug, keep no other from it."""

    tools: Tools
    metrics: Metrics
    _counts: dict[tuple[str, str], int] = field(default_factory=lambda: defaultdict(int))

    async def __call__(self, tenant_id: str, subject: str) -> Literal["settled"]:
        for name, made in INVARIANTS.items():
            self._counts[name, tenant_id] = await self._look(tenant_id, made)
            found = sum(count for (other, _), count in self._counts.items() if other == name)
            self.metrics.invariant_findings.labels(name).set(found)
        return "settled"

    async def _look(self, tenant_id: str, made: type[Invariant]) -> int:
        """How many findings there are now."""
        began = time.perf_counter()
        error: str | None = None
        findings = None
        try:
            found = await made(self.tools).check(self.tools.database.single(tenant_id))
            findings = [(finding.subject, finding.detail) for finding in found]
        except MemosError as failure:
            error = failure.code
            LOG.warning("invariant.not_checked", invariant=made.name, tenant_id=tenant_id, reason=failure.message)
        except Exception as failure:
            error = type(failure).__name__
            LOG.exception("invariant.bug", invariant=made.name, tenant_id=tenant_id)
        async with self.tools.database.unit_of_work(tenant_id) as work:
            took_ms = round((time.perf_counter() - began) * 1000, 1)
            await store.record(work, name=made.name, took_ms=took_ms, error=error, findings=findings)
        for subject, detail in findings or ():
            LOG.error("invariant.broken", invariant=made.name, tenant_id=tenant_id, subject=subject, detail=detail)
        return len(findings or ())


async def report(work: UnitOfWork) -> list[InvariantState]:
    """Every invariant, with when it was last checked and what is wrong."""
    ran = await store.runs(work)
    by_name: dict[str, list[FindingView]] = defaultdict(list)
    for row in await store.findings(work):
        by_name[row["name"]].append(FindingView(subject=row["subject"], detail=row["detail"], since=row["since"]))
    return [
        InvariantState(
            name=name,
            what=made.what,
            checked_at=ran[name]["ran_at"] if name in ran else None,
            took_ms=ran[name]["took_ms"] if name in ran else None,
            error=ran[name]["error"] if name in ran else None,
            findings=len(by_name[name]),
            examples=by_name[name][:SHOWN],
        )
        for name, made in sorted(INVARIANTS.items())
    ]
