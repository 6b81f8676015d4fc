"""Who acts in these tests, and cubes for them to see or not to see."""

from typing import Any

from memos.cubes import changes
from memos.cubes.versions import text_payload
from memos.kernel.access import Actor
from memos.kit.actor import TenantView
from memos.kit.db import Database

USERS = ("ada", "bob")
AGENTS = ("shop", "home")
ROLES = ("support", "sales")


def view(tenant_id: str, actor: Actor) -> TenantView:
    return TenantView(tenant_id, actor)


async def cube(database: Database, tenant_id: str, **attributes: Any) -> str:
    """The id of a new cube of these attributes, made by the service."""
    async with database.unit_of_work(tenant_id) as work:
        new = changes.NewCube("plaintext", text_payload("words"), "task:test", **attributes)
        return str((await changes.create(work, new))["id"])
