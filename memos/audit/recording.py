"""One request's row in the audit log. It goes into the first transaction of the request that changes something (of an
admin's reading: into the first that ends well), just before that commits, in the same round trip; so the change and its
row are one. What no transaction took is written before the answer leaves (`memos.http.audited`).

The ids of what was touched are taken from the parameters of the statements themselves: no route and no store has to
remember to say them.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from sqlalchemy import TextClause

from memos.audit import store
from memos.audit.schemas import Kind
from memos.audit.service import Digest, subject
from memos.kit.db import Database
from memos.kit.unit_of_work import UnitOfWork

MOST_SUBJECTS = 100
_CHANGES = re.compile(r"\b(?:INSERT INTO|DELETE FROM|(?<!FOR )(?<!KEY )(?<!DO )UPDATE)\s+(\w+)")
# Bookkeeping of the request itself, which changes nothing that anybody wants to know of.
_ASIDE = frozenset({"idempotency_keys", "audit_log", "outbox", "blobs"})
_ID = re.compile(r"^(?:conv|turn|cube|ver|key|job|rule|run|dec|prop|erase|grant|token|sched|scope|batch)_[0-9a-f]{32}$")


@lru_cache(maxsize=4096)
def changes(statement: TextClause) -> bool:
    """Whether a statement changes anything beside bookkeeping."""
    return any(table not in _ASIDE for table in _CHANGES.findall(statement.text))


def subjects_in(digest: Digest, tenant_id: str, name: str, value: Any) -> Iterator[str]:
    """The ids in a named parameter; of a user or an agent, the digest."""
    if isinstance(value, list):
        for item in value:
            yield from subjects_in(digest, tenant_id, name, item)
    elif not isinstance(value, str) or name in ("tenant_id", "by") or name.endswith("_by"):
        return
    elif name in ("user_id", "agent_id"):
        yield subject(digest, tenant_id, name.removesuffix("_id"), value)
    elif _ID.fullmatch(value):
        yield value


@dataclass(eq=False, slots=True)
class Recording:
    """`recorded` once a committed row tells of the request."""

    tenant_id: str
    kind: Kind
    action: str
    by: str
    digest: Digest
    actors: Sequence[str] = ()
    subjects: Sequence[str] = ()
    details: Mapping[str, Any] = field(default_factory=dict)
    recorded: bool = False

    def of_unit(self) -> "UnitRecording":
        return UnitRecording(self)

    async def make_sure(self, database: Database) -> None:
        """Writes the row in a transaction of its own, unless one has it. Raises what the database raises."""
        if not self.recorded:
            async with database.unit_of_work(str(self.tenant_id)) as work:
                self.write(work, self.subjects)
            self.recorded = True

    def write(self, work: UnitOfWork, subjects: Sequence[str]) -> None:
        named = list(dict.fromkeys((*self.subjects, *subjects)))
        more = {"more_subjects": len(named) - MOST_SUBJECTS} if len(named) > MOST_SUBJECTS else {}
        store.insert(
            work,
            kind=self.kind,
            action=self.action,
            by=self.by,
            actors=self.actors,
            subjects=named[:MOST_SUBJECTS],
            details=dict(self.details) | more,
        )


class UnitRecording:
    """What one unit of work of the request did."""

    def __init__(self, whole: Recording) -> None:
        self._whole = whole
        self._touched: dict[str, None] = {}
        self._changed = False
        self._written = False

    def saw(self, statement: TextClause, parameters: Mapping[str, Any]) -> None:
        changing = changes(statement)
        self._changed |= changing
        if changing or self._whole.kind == "read":
            for name, value in parameters.items():
                found = subjects_in(self._whole.digest, self._whole.tenant_id, name, value)
                self._touched.update(dict.fromkeys(found))

    def before_commit(self, work: UnitOfWork) -> None:
        if not self._whole.recorded and (self._changed or self._whole.kind == "read"):
            self._whole.write(work, list(self._touched))
            self._written = True

    def committed(self) -> None:
        self._whole.recorded |= self._written
