"""API keys and tenants over REST."""

from datetime import datetime
from typing import Literal

from pydantic import Field

from memos.kit.schema import Answer, Body, Name, shown

Scope = Literal["operator", "admin", "app", "read"]


class KeyCreate(Body):
    model_config = shown({"name": "web app", "scopes": ["app"]})

    name: Name
    scopes: list[Literal["admin", "app", "read"]] = Field(min_length=1, max_length=3)


class Key(Answer):
    id: str
    name: str
    prefix: str
    scopes: list[Scope]
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
