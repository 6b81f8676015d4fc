"""API keys: made once, shown once, stored as an HMAC digest; scoped, revocable, and revoked at once everywhere: every
request reads its key's row. Only which row that is, which never changes, is remembered. A key is the only way from a
request to a tenant.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import RowMapping

from memos.kernel.access import SERVICE, Actor
from memos.keys import store, tokens
from memos.keys.schemas import Key, NewKey, NewTenant, NewToken, Scope, Tenant, TenantCreate, TokenCreate
from memos.kit.db import Database
from memos.kit.doors import key_owner
from memos.kit.errors import Forbidden, Invalid, NotFound, Unauthorized
from memos.kit.ids import new_id
from memos.kit.shared import Shared
from memos.kit.unit_of_work import UnitOfWork

KEY_PREFIX = "mk_"
MOST_REMEMBERED = 10_000  # keys of which this process knows the row
SHOWN = 10  # characters of a key that lists may show

# Each scope may do what the scopes it includes may do.
INCLUDES: dict[Scope, frozenset[Scope]] = {
    "operator": frozenset({"operator"}),
    "admin": frozenset({"admin", "app", "read"}),
    "app": frozenset({"app", "read"}),
    "read": frozenset({"read"}),
}


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling: a key of a tenant, what it may do, and for whom. Once the caller is known, `tenant_id` carries
    the actor (`TenantView`): hand it to every unit of work that is done for the caller."""

    tenant_id: str
    key_id: str
    scopes: frozenset[Scope]
    actor: Actor = SERVICE
    token_id: str | None = None

    def require(self, scope: Scope) -> None:
        if not any(scope in INCLUDES[held] for held in self.scopes):
            raise Forbidden(f"this needs a key with the scope {scope}; this one has {', '.join(sorted(self.scopes))}")


class LimitedAdmin(Invalid):
    """An admin key is not limited to a user or an agent."""

    code = "limited_admin"
    hint = "Give a key that is limited the scope app or read."


class KeyService:
    """`secret` keys the digests: a stolen database alone lets nobody test a guess."""

    def __init__(self, database: Database, secret: bytes) -> None:
        self._database = database
        self._secret = secret
        self._owners: dict[bytes, tuple[str, str]] = {}  # tenant and key by digest
        self._rows: Shared[tuple[str, str], RowMapping | None] = Shared(
            lambda key: store.get(database.single(key[0]), key[1])
        )

    def digest(self, key: str) -> bytes:
        return self.digest_of(key.encode("utf-8", "replace"))

    def digest_of(self, data: bytes) -> bytes:
        """A hash that only this service can make, so that nobody else can test a guess at the data."""
        return hmac.new(self._secret, data, hashlib.sha256).digest()

    async def authenticate(self, authorization: str | None) -> Principal:
        """The principal behind an Authorization header; raises Unauthorized."""
        scheme, _, key = (authorization or "").partition(" ")
        if scheme.lower() == "bearer" and key.strip().startswith(tokens.PREFIX):
            return await self._of_token(key.strip())
        if scheme.lower() != "bearer" or not key.startswith(KEY_PREFIX):
            raise Unauthorized
        digest = self.digest(key.strip())
        owner = self._owners.get(digest) or await key_owner(self._database, digest)
        if owner is None:
            raise Unauthorized("this API key is unknown or revoked")
        if len(self._owners) >= MOST_REMEMBERED:
            self._owners.clear()
        self._owners[digest] = owner
        return await self.holder(*owner)

    async def holder(self, tenant_id: str, key_id: str) -> Principal:
        """The principal of a key that was shown before; raises Unauthorized once it is revoked."""
        row = await self._rows.read((tenant_id, key_id))
        if row is None or row["revoked_at"] is not None:
            raise Unauthorized("this API key is unknown or revoked")
        return Principal(tenant_id, key_id, frozenset(row["scopes"]), _actor(row))

    async def _of_token(self, token: str) -> Principal:
        """A token is as good as the key that made it: it ends with it."""
        claims = tokens.read(token, self.digest_of)
        row = await store.get(self._database.single(claims.tenant_id), claims.key_id)
        if row is None or row["revoked_at"] is not None:
            raise Unauthorized("the key that made this token is revoked")
        actor = Actor("person", claims.user_id, claims.agent_id, frozenset(claims.roles))
        return Principal(claims.tenant_id, claims.key_id, frozenset({"app"}), actor, claims.token_id)

    def token(self, caller: Principal, wanted: TokenCreate) -> NewToken:
        """A token limited to one user; made of a signature alone, nothing is stored. Raises Forbidden for roles that
        the key does not have, and for a caller who is limited to a user already."""
        if caller.actor.kind == "person":
            raise Forbidden("whoever is limited to one user makes no tokens", hint="Use the application's own key.")
        missing = set(wanted.roles) - caller.actor.roles
        if missing and caller.actor.kind != "admin":
            raise Forbidden(f"this key does not have the role {min(missing)}", hint="An admin makes keys with roles.")
        return tokens.make(caller.tenant_id, caller.key_id, wanted, self.digest_of)

    async def create(
        self,
        work: UnitOfWork,
        *,
        name: str,
        scopes: list[Scope],
        user_id: str | None = None,
        agent_id: str | None = None,
        roles: Iterable[str] = (),
    ) -> NewKey:
        """Raises LimitedAdmin for an admin key that is limited to a user or an agent."""
        if (user_id or agent_id) and "admin" in scopes:
            raise LimitedAdmin
        key = KEY_PREFIX + secrets.token_urlsafe(32)
        row = await store.insert(
            work,
            id=new_id("key"),
            name=name,
            prefix=key[:SHOWN],
            digest=self.digest(key),
            scopes=sorted(set(scopes)),
            user_id=user_id,
            agent_id=agent_id,
            roles=sorted(set(roles)),
        )
        return NewKey(**row, key=key)

    async def revoke(self, work: UnitOfWork, key_id: str) -> Key:
        row = await store.revoke(work, key_id)
        if row is None:
            raise NotFound(f"there is no key {key_id}")
        return Key(**row)

    async def create_tenant(self, wanted: TenantCreate, *, scopes: list[Scope]) -> NewTenant:
        """A tenant and its first key, in one transaction bound to the new tenant."""
        tenant_id = new_id("ten")
        async with self._database.unit_of_work(tenant_id) as work:
            tenant = await store.insert_tenant(work, tenant_id=tenant_id, name=wanted.name)
            key = await self.create(work, name="admin", scopes=scopes)
        return NewTenant(tenant=Tenant(**tenant), admin_key=key)


def _actor(row: RowMapping) -> Actor:
    """For whom a key acts as long as it says nothing else."""
    roles = frozenset(row["roles"])
    if row["user_id"] or row["agent_id"]:
        return Actor("person", row["user_id"], row["agent_id"], roles)
    return Actor("admin" if "admin" in row["scopes"] else "application", roles=roles)
