"""Grants on cubes over REST."""

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from memos.kernel.access import GranteeKind, Permission
from memos.keys.schemas import RoleName
from memos.kit.schema import Answer, Body, UserId, shown


class UserGrantee(Body):
    user: UserId


class AgentGrantee(Body):
    agent: UserId


class RoleGrantee(Body):
    role: RoleName


class GrantCreate(Body):
    model_config = shown({"grantee": {"user": "bob"}, "permission": "read"})

    grantee: UserGrantee | AgentGrantee | RoleGrantee
    permission: Permission = Field(description="write holds read.")

    def named(self) -> tuple[GranteeKind, str]:
        match self.grantee:
            case UserGrantee(user=name):
                return "user", name
            case AgentGrantee(agent=name):
                return "agent", name
            case RoleGrantee(role=name):
                return "role", name


class Grant(Answer):
    id: str
    cube_id: str
    grantee: dict[Literal["user", "agent", "role"], str]
    permission: Permission
    created_at: datetime
    created_by: str
    revoked_at: datetime | None


def grant_view(row: Any) -> Grant:
    columns = {name: row[name] for name in Grant.model_fields if name != "grantee"}
    return Grant(**columns, grantee={row["grantee_kind"]: row["grantee"]})
