"""API keys and tenants over REST."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field, StringConstraints

from memos.kit.schema import Answer, Body, Integer, Name, UserId, shown

Scope = Literal["operator", "admin", "app", "read"]
# A role is a name of the tenant's own; cubes are granted to it, and keys carry it.
RoleName = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:-]{0,99}$")]
MOST_ROLES = 20


class KeyCreate(Body):
    model_config = shown({"name": "web app", "scopes": ["app"]})

    name: Name
    scopes: list[Literal["admin", "app", "read"]] = Field(min_length=1, max_length=3)
    user_id: UserId | None = Field(None, description="Limits the key to this user.")
    agent_id: UserId | None = Field(None, description="Limits the key to this agent.")
    roles: list[RoleName] = Field(
        default_factory=list, max_length=MOST_ROLES, description="What is granted to these roles is granted to the key."
    )


class Key(Answer):
    id: str
    name: str
    prefix: str
    scopes: list[Scope]
    user_id: str | None = Field(description="The user that the key is limited to.")
    agent_id: str | None = Field(description="The agent that the key is limited to.")
    roles: list[str]
    created_at: datetime
    revoked_at: datetime | None


class NewKey(Key):
    key: str = Field(description="The secret itself, shown once.")


class TenantCreate(Body):
    model_config = shown({"name": "acme"})

    name: Name


class Tenant(Answer):
    id: str
    name: str
    created_at: datetime


class NewTenant(Answer):
    tenant: Tenant
    admin_key: NewKey


class TokenCreate(Body):
    model_config = shown({"user_id": "ada", "ttl_s": 900})

    user_id: UserId = Field(description="Whose token it is: it sees and changes what this user may.")
    agent_id: UserId | None = Field(None, description="The agent it acts through.")
    roles: list[RoleName] = Field(default_factory=list, max_length=MOST_ROLES, description="Roles that this key has.")
    ttl_s: Integer = Field(900, ge=1, le=86_400, description="Seconds until it ends.")


class NewToken(Answer):
    id: str
    token: str = Field(description="Sent as an API key is. It ends by itself, or with the key that made it.")
    user_id: str
    agent_id: str | None
    roles: list[str]
    expires_at: datetime
