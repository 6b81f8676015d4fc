"""Hands over to erasure what a rule with `action: erase` decided. Nothing here erases.

As long as the package is not part of this service, such a rule cannot be made, and is refused by name.
"""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from memos.kit.unit_of_work import UnitOfWork

PACKAGE = "memos.erasure"


def available() -> bool:
    return find_spec(PACKAGE) is not None and find_spec(f"{PACKAGE}.service") is not None


async def request(work: UnitOfWork, *, cube_id: str, by: str) -> Any:
    """Queues the erasure of one cube in this transaction."""
    service: Any = import_module(f"{PACKAGE}.service")
    return await service.request(work, cube_id=cube_id, created_by=by)
