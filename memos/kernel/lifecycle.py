"""The life of a MemCube: its states and the steps between them. The schema's trigger holds the same table.

Frozen is a flag beside the state: a frozen cube is not changed, moved, expired or evicted. Only an erasure passes it.
"""

from typing import Literal

Lifecycle = Literal["generated", "activated", "archived", "merged", "expired", "erased"]

# In recall and open to change.
LIVE: frozenset[Lifecycle] = frozenset({"generated", "activated"})
TRANSITIONS: dict[Lifecycle, frozenset[Lifecycle]] = {
    "generated": frozenset({"activated", "archived", "expired", "erased"}),
    "activated": frozenset({"archived", "merged", "expired", "erased"}),
    "archived": frozenset({"activated", "expired", "erased"}),
    "merged": frozenset({"archived", "erased"}),
    "expired": frozenset({"activated", "archived", "erased"}),
    "erased": frozenset(),
}


def may_become(now: Lifecycle, then: Lifecycle, *, frozen: bool) -> bool:
    return then in legal_from(now, frozen=frozen)


def legal_from(now: Lifecycle, *, frozen: bool) -> frozenset[Lifecycle]:
    """Where a cube may go next."""
    return TRANSITIONS[now] & frozenset({"erased"}) if frozen else TRANSITIONS[now]
