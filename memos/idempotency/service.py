"""Claims a key and answers a retry. The key and the effect commit together, so there is no moment in which one exists
without the other.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from sqlalchemy import RowMapping

from memos.idempotency import store
from memos.kit.db import Database
from memos.kit.errors import BadRequest, Conflict, Invalid
from memos.kit.schema import Answer
from memos.kit.unit_of_work import UnitOfWork

ERASED = 410  # the status of a key whose stored answer, and what was asked, are gone


class KeyReused(Invalid):
    """The Idempotency-Key was used with another request."""

    code = "idempotency_key_reused"
    hint = "Use a fresh Idempotency-Key for a different request; repeat the request unchanged to get its answer."


class AnswerErased(BadRequest):
    """The answer that this Idempotency-Key had was erased."""

    code = "erased"
    status = 410
    hint = "The request took effect once and is not done again. Use a fresh Idempotency-Key for a new one."


class InFlight(Conflict):
    """A request with this Idempotency-Key is still being worked on."""

    code = "idempotency_in_flight"
    hint = "Wait as Retry-After says, then send the same request with the same key."
    retry_after_s = 1.0


@dataclass(frozen=True, slots=True)
class Claim:
    """A caller's key and what it is claimed for. Without a key nothing is remembered. `erased_key` is what stands for
    the key once its answer is erased."""

    key: str | None
    request_sha256: str
    ttl_s: float
    erased_key: str = ""


def erased_key(digest: Callable[[bytes], bytes], key: str) -> str:
    """A space, which no caller's key has, and a keyed digest."""
    return f"erased {digest(key.encode()).hex()}"


@dataclass(frozen=True, slots=True)
class StoredAnswer:
    status: int
    body: bytes


async def claim(work: UnitOfWork, wanted: Claim, *, turn_id: str | None = None) -> StoredAnswer | None:
    """None: go ahead. An answer: send it again. Raises KeyReused, InFlight or AnswerErased."""
    if wanted.key is None:
        return None
    held: RowMapping | None = await store.claim(
        work,
        key=wanted.key,
        erased_key=wanted.erased_key,
        request_sha256=wanted.request_sha256,
        turn_id=turn_id,
        ttl_s=wanted.ttl_s,
    )
    if held is None:
        return None
    if held["status"] == ERASED:
        raise AnswerErased
    if held["request_sha256"] != wanted.request_sha256:
        raise KeyReused
    if held["status"] is None:
        raise InFlight
    return StoredAnswer(held["status"], bytes(held["body"]))


async def answered(database: Database, tenant_id: str, wanted: Claim) -> StoredAnswer | None:
    """The answer that a key has already, without claiming it: for work that must be done before the claim. Raises
    KeyReused."""
    if wanted.key is None:
        return None
    held = await store.living(database.single(tenant_id), wanted.key)
    if held is None or held["status"] in (None, ERASED):
        return None  # the claim says what there is to say
    if held["request_sha256"] != wanted.request_sha256:
        raise KeyReused
    return StoredAnswer(held["status"], bytes(held["body"]))


async def once(
    database: Database,
    tenant_id: str,
    wanted: Claim,
    effect: Callable[[UnitOfWork], Awaitable[Answer]],
    *,
    status: int = 201,
) -> StoredAnswer:
    """Runs `effect` in one transaction with the claim; a retry gets the first answer."""
    async with database.unit_of_work(tenant_id) as work:
        stored = await claim(work, wanted)
        if stored is not None:
            return stored
        body = (await effect(work)).model_dump_json().encode()
        if wanted.key is not None:
            store.finish(work, key=wanted.key, status=status, body=body)
        return StoredAnswer(status, body)
