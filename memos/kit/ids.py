"""Identifiers: a prefix that says what it names, and a uuid7, so that ids sort by age. Ids are text everywhere."""

import re
from typing import Annotated, Literal

from pydantic import StringConstraints
from uuid_utils import uuid7

Prefix = Literal[
    "ten",
    "key",
    "conv",
    "turn",
    "cube",
    "ver",
    "blob",
    "job",
    "event",
    "audit",
    "rule",
    "run",
    "dec",
    "prop",
    "erase",
    "grant",
    "token",
    "sched",
    "scope",
    "batch",
]

# What a caller may send as an id: anything else cannot name a row, and is refused before the database sees it.
Id = Annotated[str, StringConstraints(pattern=r"^[a-z]{3,5}_[0-9a-f]{32}$")]
ID_PATTERN = re.compile(r"^[a-z]{3,5}_[0-9a-f]{32}$")


def new_id(prefix: Prefix) -> str:
    return f"{prefix}_{uuid7().hex}"
