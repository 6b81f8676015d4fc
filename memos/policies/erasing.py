"""Hands over to erasure what a rule with `action: erase` decided. Nothing here erases."""

from memos.erasure import service
from memos.erasure.schemas import Erasure, ErasureCreate
from memos.kit.unit_of_work import UnitOfWork


async def request(work: UnitOfWork, *, cube_id: str, by: str) -> Erasure:
    """Queues the erasure of one cube in this transaction; of a conversation's state that of the conversation."""
    return await service.request(work, ErasureCreate(cube_id=cube_id), by, _no_user)


def _no_user(tenant_id: str, user_id: str) -> str:
    raise AssertionError("a rule names a cube")
