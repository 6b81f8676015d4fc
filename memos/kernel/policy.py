"""What a retention policy is: items in, decisions out, and nothing else. It reads no clock and no store, so that the
same memory at the same moment always gives the same decisions, and a dry run is the run.

A rule only ever says what should leave recall, or what may be kept as a recipe. It never erases: what is done about a
decision is chosen by whoever made the rule, and done under the locks of the cube.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, Protocol

# evict: out of recall, by the action of the rule's row. expire: past its own lifespan. thin: this version's payload may
# be replaced by its recipe.
Verb = Literal["evict", "expire", "thin"]


@dataclass(frozen=True, slots=True)
class Item:
    """A cube that is neither frozen nor out of recall; for rules that thin, one version of a cube."""

    id: str
    created_at: datetime
    size_bytes: int = 0
    priority: int = 0
    reads: int = 0
    last_used_at: datetime | None = None  # read or written; None: never since it was made
    uses: tuple[datetime, ...] = ()  # the newest reads whose moment is known
    place: str = ""  # what it is about; compared, never shown
    expires_at: datetime | None = None
    line: str = ""  # of a version: its cube
    pinned: bool = False  # of a version: others need its payload

    @property
    def used_at(self) -> datetime:
        return self.last_used_at or self.created_at


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do with one item, and why, in words that hold nothing a user said."""

    item: Item
    verb: Verb
    reason: str


class RetentionPolicy(Protocol):
    """One rule with its numbers. An item without a decision is kept."""

    def decide(self, items: Sequence[Item], now: datetime) -> list[Decision]:
        """At most one decision per item. The order of the items makes no difference."""
        ...

    def feedback(self, reward: float) -> None:
        """How well the last decisions served; a rule that does not learn does nothing with it."""
        ...
