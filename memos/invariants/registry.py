"""Invariants: small classes that look whether something that must always be true of a tenant's data still is.

One is registered by its class and made anew for each run. It is given a unit of work whose every statement is a
transaction of its own, so that looking takes no locks and holds none. A finding names an id and says in our own words
what is wrong; it never quotes a user.
"""

from dataclasses import dataclass
from typing import ClassVar, Protocol, TypeVar

from memos.audit.sequencer import Noted
from memos.kit.blobs import Blobs
from memos.kit.config import Settings
from memos.kit.db import Database
from memos.kit.unit_of_work import UnitOfWork

MOST_FINDINGS = 100  # of one invariant: more say nothing more


@dataclass(frozen=True, slots=True)
class Finding:
    """`subject` is the id of what is wrong."""

    subject: str
    detail: str


@dataclass(frozen=True, slots=True)
class Tools:
    """What an invariant may look with besides its unit of work."""

    database: Database
    blobs: Blobs
    settings: Settings
    noted: Noted


class Invariant(Protocol):
    """`what` says in a sentence what must be true."""

    name: ClassVar[str]
    what: ClassVar[str]

    def __init__(self, tools: Tools) -> None: ...

    async def check(self, work: UnitOfWork) -> list[Finding]: ...


INVARIANTS: dict[str, type[Invariant]] = {}
Made = TypeVar("Made", bound=type[Invariant])


def register(made: Made) -> Made:
    INVARIANTS[made.name] = made
    return made


class Plain:
    """One that needs no tools: a question to the database."""

    def __init__(self, tools: Tools) -> None:
        """Needs none of them."""
