"""The states of a turn and the steps between them (DESIGN 6b). The schema's trigger holds the same table."""

from typing import Literal

TurnStatus = Literal["accepted", "answered", "applied", "failed", "cancelled", "skipped", "superseded", "erased"]

# A turn that may still change the memory: later turns wait for it.
UNSETTLED: frozenset[TurnStatus] = frozenset({"accepted", "answered"})
TRANSITIONS: dict[TurnStatus, frozenset[TurnStatus]] = {
    "accepted": frozenset({"answered", "failed", "cancelled", "superseded"}),
    "answered": frozenset({"applied", "skipped", "superseded", "erased"}),
    "applied": frozenset({"superseded", "erased"}),
    "skipped": frozenset({"superseded", "erased"}),
    "failed": frozenset({"erased"}),
    "cancelled": frozenset({"erased"}),
    "superseded": frozenset({"erased"}),
    "erased": frozenset(),
}


def may_become(now: TurnStatus, then: TurnStatus) -> bool:
    return then in TRANSITIONS[now]
