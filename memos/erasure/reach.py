"""What an erasure reaches: each store says what it holds of what is reached already, until none has more to say.

A store is one small class. One that comes later (an index, a table of its own) registers beside the others in
`memos.erasure.stores` and is then asked by every dry run, every erasure and every check of a receipt.
"""

from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol

from memos.erasure.quotes import Quotes
from memos.kit.blobs import Blobs
from memos.kit.unit_of_work import UnitOfWork

Derived = Literal["redact", "erase", "list"]
Columns = Mapping[str, tuple[str, ...]]
# erase: it goes whole. redact: the answer, or the copied words, go. rebuild: it goes on without what it saw. list: it
# is only named. Of two findings about one thing the stronger holds.
Action = Literal["list", "rebuild", "redact", "erase"]
STRENGTH: Mapping[Action, int] = {"list": 0, "rebuild": 1, "redact": 2, "erase": 3}


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that is reached, by its id. `why` are our words and `details` ids and numbers, never what was said."""

    store: str
    id: str
    action: Action
    why: str
    details: Mapping[str, Any] = field(default_factory=dict)


class Reached:
    """Everything reached so far, and what of it can still be read while nothing is erased yet."""

    def __init__(self, items: Iterable[Item], derived: Derived, before: Any) -> None:
        self.derived = derived
        self.before = before  # the moment of the hold: what is older and belongs to nothing is garbage by now
        self.quotes = Quotes(())
        self._items: dict[tuple[str, str], Item] = {}
        for item in items:
            self.add(item)

    @property
    def items(self) -> list[Item]:
        return list(self._items.values())

    def add(self, item: Item) -> bool:
        """Whether that was news."""
        known = self._items.get((item.store, item.id))
        if known is not None and STRENGTH[known.action] >= STRENGTH[item.action]:
            return False
        self._items[item.store, item.id] = item
        return True

    def ids(self, store: str, *actions: Action) -> list[str]:
        return [item.id for item in self._items.values() if item.store == store and item.action in actions]


@dataclass(frozen=True, slots=True)
class Tools:
    """What a store may need besides the transaction."""

    blobs: Blobs
    digest: Callable[[bytes], bytes]  # keyed: of what must be known again and not be told
    erasure_id: str


class Store(Protocol):
    """`columns` hold words or names, by table: no samples are taken of them, and their tables are rewritten in the
    physical stage."""

    name: ClassVar[str]
    columns: ClassVar[Columns]

    def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]: ...

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        """In one transaction with the mark that they are done. May run again for the same items."""
        ...

    async def outside(self, tools: Tools, items: Sequence[Item]) -> None:
        """What no transaction holds, after that of `erase` and before the mark."""
        ...

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        """Which of these are not gone, in our words and ids."""
        ...


class InTheDatabase:
    """For stores whose whole effect is one transaction's."""

    async def outside(self, tools: Tools, items: Sequence[Item]) -> None:
        """There is nothing outside."""


async def reach(work: UnitOfWork, stores: Sequence[Store], reached: Reached) -> Reached:
    """Adds to `reached` until no store finds more."""
    news = True
    while news:
        news = False
        for store in stores:
            async for item in store.reach(work, reached):
                news = reached.add(item) or news
    return reached
