"""Stored answers of idempotency keys, and errors of jobs: copies of what was said, or of words about it."""

from collections.abc import AsyncIterator, Sequence
from typing import ClassVar

from memos.erasure.reach import Columns, InTheDatabase, Item, Reached, Tools
from memos.erasure.stores import store
from memos.idempotency.service import erased_key
from memos.kit.unit_of_work import UnitOfWork


class KeyStore(InTheDatabase):
    """An answer that names a thing which is erased. What stands for its key stays until its time is over: a retry gets
    a 410, and takes no effect."""

    name: ClassVar[str] = "idempotency_keys"
    columns: ClassVar[Columns] = {"idempotency_keys": ("key", "body", "request_sha256")}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for key_id in await store.answers_naming(work, _named(reached)):
            yield Item(self.name, key_id, "erase", "a stored answer about what is erased")

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        for row in await store.keys_of(work, [item.id for item in items]):
            await store.clear_answer(work, row["id"], erased_key(tools.digest, row["key"]))

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        left = await store.stored_answers(work, [item.id for item in items])
        return [f"the stored answer of key {id} is still there" for id in left]


class JobStore(InTheDatabase):
    """The error of a job whose subject is erased. Jobs hold ids; what a library said of a payload is kept out too."""

    name: ClassVar[str] = "jobs"
    columns: ClassVar[Columns] = {"outbox": ("error",)}

    async def reach(self, work: UnitOfWork, reached: Reached) -> AsyncIterator[Item]:
        for job_id in await store.failing_jobs(work, _named(reached)):
            yield Item(self.name, job_id, "erase", "its error is about what is erased")

    async def erase(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> None:
        await store.clear_errors(work, [item.id for item in items])

    async def residue(self, work: UnitOfWork, tools: Tools, items: Sequence[Item]) -> list[str]:
        left = await store.telling_jobs(work, [item.id for item in items])
        return [f"the error of job {id} is still there" for id in left]


def _named(reached: Reached) -> list[str]:
    things = [
        ("conversations", ("erase",)),
        ("turns", ("erase", "redact")),
        ("cubes", ("erase",)),
        ("versions", ("erase",)),
    ]
    return [id for name, actions in things for id in reached.ids(name, *actions)]  # type: ignore[arg-type]
