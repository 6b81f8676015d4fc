"""What can be asked of the database alone: heads, counters, lives, and the age of the outbox.

Cubes are looked at in parts, each run the next part and what was found before: a tenant of a million cubes costs a run
no more than one of `PART`.
"""

from collections.abc import Awaitable, Callable, Sequence
from typing import ClassVar

from sqlalchemy import RowMapping

from memos.invariants import store
from memos.invariants.registry import MOST_FINDINGS, Finding, Plain, register
from memos.kit.unit_of_work import UnitOfWork

PART = 20_000
QUEUED_S = 900.0
LAPSED_S = 120.0
Asked = Callable[..., Awaitable[Sequence[RowMapping]]]


async def next_part(work: UnitOfWork, name: str, ask: Asked) -> Sequence[RowMapping]:
    """What `ask` finds in the next part of the cubes, and in those that were found before."""
    after = await store.place(work, name)
    last, more = await store.part(work, after=after, limit=PART)
    also = await store.found_before(work, name)
    found = await ask(work, after=after, last=last, also=also, limit=MOST_FINDINGS)
    await store.set_place(work, name, last if more else "")
    return found


@register
class HeadIsNewest(Plain):
    name: ClassVar[str] = "head_is_newest"
    what: ClassVar[str] = "A cube's head is the newest of its versions."

    async def check(self, work: UnitOfWork) -> list[Finding]:
        return [
            Finding(row["id"], f"its head is version {row['head_number']}, its newest version is {row['newest']}")
            for row in await next_part(work, self.name, store.wrong_heads)
        ]


@register
class UsageCounters(Plain):
    name: ClassVar[str] = "usage_counters"
    what: ClassVar[str] = "A cube's counts of reads and writes agree with its versions and with what answers read."

    async def check(self, work: UnitOfWork) -> list[Finding]:
        found = []
        for row in await next_part(work, self.name, store.wrong_counters):
            if row["writes"] != row["head_number"]:
                detail = f"{row['writes']} writes are counted and {row['head_number']} were made"
            elif row["reads"] < row["derived"]:
                detail = f"{row['reads']} reads are counted and {row['derived']} are recorded"
            else:
                detail = f"{row['reads']} reads are counted, and last_read_at is {row['last_read_at'] or 'empty'}"
            found.append(Finding(row["id"], detail))
        return found


@register
class LivesAreTold(Plain):
    name: ClassVar[str] = "lives_are_told"
    what: ClassVar[str] = "A cube's lifecycle and frozen flag are what its last events say."

    async def check(self, work: UnitOfWork) -> list[Finding]:
        found = []
        for row in await next_part(work, self.name, store.wrong_lives):
            told = row["to_lifecycle"] or "activated"
            if row["lifecycle"] != told:
                detail = f"it is {row['lifecycle']}, and its last event made it {told}"
            else:
                detail = f"frozen is {row['frozen']}, and its last event says {row['froze']}"
            found.append(Finding(row["id"], detail))
        return found


@register
class RecipesHold(Plain):
    name: ClassVar[str] = "recipes_hold"
    what: ClassVar[str] = "Every payload that was dropped by thinning has what it is made again from."

    async def check(self, work: UnitOfWork) -> list[Finding]:
        rows = await store.lost_recipes(work, limit=MOST_FINDINGS)
        return [Finding(row["id"], "it was dropped, and its turn or the state before it is gone") for row in rows]


@register
class OutboxAge(Plain):
    name: ClassVar[str] = "outbox_age"
    what: ClassVar[str] = "No job waits long: none is queued for a quarter of an hour, or held by nobody."

    async def check(self, work: UnitOfWork) -> list[Finding]:
        rows = await store.old_jobs(work, queued_s=QUEUED_S, lapsed_s=LAPSED_S, limit=MOST_FINDINGS)
        return [
            Finding(row["id"], f"{row['task']} is {row['status']} since {row['age_s']} s"
                    + (f"; its last error was {row['error']}" if row["error"] else ""))
            for row in rows
        ]  # fmt: skip
