"""Turns: those of what is erased go whole; a later answer that quotes one of them goes alone, or with its turn, or is
only listed, as `derived` says. Later are all turns that read, or whose state came from, a version that saw it.
"""

from collections import defaultdict
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import ClassVar

from sqlalchemy import RowMapping

from memos.erasure.quotes import Known, Quotes
from memos.erasure.reach import Action, Columns, InTheDatabase, Item, Reached, Tools
from memos.erasure.stores import store
from memos.kit.unit_of_work import UnitOfWork


class TurnStore(InTheDatabase):
    name: ClassVar[str] = "turns"
    columns: ClassVar[Columns] = {"turns": ("input", "output", "error", "idempotency_key", "timings_ms")}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for turn_id in await store.turns_of(work, reached.ids("conversations", "erase")):
            yield Item(self.name, turn_id, "erase", "of an erased conversation")
        for row in await store.copies_of(work, reached.ids("turns", "erase")):
            yield Item(self.name, row["id"], "erase", "a copy of an erased turn", {"of": row["said_as"]})
        versions = reached.ids("versions", "erase")
        gone = reached.ids("turns", "erase")
        reached.quotes = Quotes(await store.told(work, gone, versions), await store.answered(work, gone, versions))
        later = await store.later_turns(work, versions, gone)
        said = await store.said(work, sorted({row["conversation_id"] for row in later}), gone)
        for item in _quoting(later, said, reached):
            yield item

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        whole = [item.id for item in items if item.action == "erase"]
        await store.erase_turns(work, whole, tools.erasure_id)
        await store.redact_turns(work, [item.id for item in items if item.action == "redact"], tools.erasure_id)

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        whole = [item.id for item in items if item.action == "erase"]
        answers = [item.id for item in items if item.action == "redact"]
        return [f"turn {id} still has words" for id in await store.speaking_turns(work, whole, answers)]


def _quoting(later: Sequence[RowMapping], said: Sequence[RowMapping], reached: Reached) -> Iterator[Item]:
    """Both by conversation and seq: what the user had said by then, and what stays, may stand in an answer."""
    actions: dict[str, Action] = {"redact": "redact", "erase": "erase", "list": "list"}
    heard: dict[str, Known] = defaultdict(Known)
    inputs = iter(said)
    ahead = next(inputs, None)
    for row in later:
        place = (row["conversation_id"], row["seq"])
        while ahead is not None and (ahead["conversation_id"], ahead["seq"]) <= place:
            heard[ahead["conversation_id"]].add(ahead["input"])
            ahead = next(inputs, None)
        spans = reached.quotes.found(row["output"], heard[row["conversation_id"]])
        if spans:
            details = {"conversation_id": row["conversation_id"], "spans": [[span.start, span.end] for span in spans]}
            yield Item("turns", row["id"], actions[reached.derived], "its answer quotes what is erased", details)
