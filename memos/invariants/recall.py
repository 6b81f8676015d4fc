"""What recall goes by: the scopes of memories, their stamps, their vectors, and the turns that episodes are of."""

from functools import partial
from typing import ClassVar

from sqlalchemy import RowMapping

from memos.invariants import store
from memos.invariants.registry import Finding, Plain, register
from memos.invariants.rows import QUEUED_S, next_part
from memos.kit.unit_of_work import UnitOfWork


@register
class RecallIsWhole(Plain):
    """One that is in no scope, or has a stamp that its scope has not reached, is one that no index hears of."""

    name: ClassVar[str] = "recall_is_whole"
    what: ClassVar[str] = "Every living memory is in its owner's scope and stamped, with its vectors and nobody else's."

    async def check(self, work: UnitOfWork) -> list[Finding]:
        ask = partial(store.not_in_recall, late_s=QUEUED_S)
        return [
            Finding(row["id"], _stamp(row) if row["out_of_scope"] or row["ahead"] else _vectors(row))
            for row in await next_part(work, self.name, ask)
        ]


def _stamp(row: RowMapping) -> str:
    if row["scope_id"] is None:
        return "it is in no scope"
    if row["out_of_scope"]:
        return f"scope {row['scope_id']} is not its owner's"
    return f"its stamp is {row['recall_revision']}, and its scope has revision {row['revision']}"


def _vectors(row: RowMapping) -> str:
    if row["of_erased"]:
        return "a version that was erased has a vector, or its turn was erased"
    return f"its newest version is without a vector of its scope's model for more than {QUEUED_S:.0f} s"
