"""SQL of idempotency keys."""

from sqlalchemy import RowMapping, text

from memos.kit.unit_of_work import UnitOfWork

# A key whose time is over may be claimed again; a living one may not, and neither may one whose answer was erased: its
# row has the key's keyed digest instead of the key, which is a caller's word.
_CLAIM = text("""
    INSERT INTO idempotency_keys (tenant_id, key, request_sha256, turn_id, expires_at)
    SELECT :tenant_id, :key, :request_sha256, :turn_id, now() + make_interval(secs => :ttl_s)
    WHERE NOT EXISTS (SELECT FROM idempotency_keys e WHERE e.key = :erased_key AND e.expires_at >= now())
    ON CONFLICT (tenant_id, key) DO UPDATE
      SET request_sha256 = EXCLUDED.request_sha256, turn_id = EXCLUDED.turn_id, status = NULL, body = NULL,
          created_at = now(), expires_at = EXCLUDED.expires_at
      WHERE idempotency_keys.expires_at < now()""")
_READ = text("""
    SELECT request_sha256, turn_id, status, body FROM idempotency_keys
    WHERE key = :erased_key OR key = :key ORDER BY key <> :erased_key LIMIT 1""")
_LIVING = text("SELECT request_sha256, status, body FROM idempotency_keys WHERE key = :key AND expires_at >= now()")
_FINISH = text("UPDATE idempotency_keys SET status = :status, body = :body WHERE key = :key")
_RELEASE = text("DELETE FROM idempotency_keys WHERE turn_id = ANY(:turn_ids) AND status IS NULL")
_PURGE = text("DELETE FROM idempotency_keys WHERE expires_at < now()")


async def claim(
    work: UnitOfWork, *, key: str, erased_key: str, request_sha256: str, turn_id: str | None, ttl_s: float
) -> RowMapping | None:
    """None if the key is now ours; otherwise the row that holds it. Waits for a concurrent claim to commit."""
    touched = await work.run(
        _CLAIM,
        tenant_id=work.tenant_id,
        key=key,
        erased_key=erased_key,
        request_sha256=request_sha256,
        turn_id=turn_id,
        ttl_s=ttl_s,
    )
    return None if touched else await work.first(_READ, key=key, erased_key=erased_key)


async def living(work: UnitOfWork, key: str) -> RowMapping | None:
    """The row of a key whose time is not over."""
    return await work.first(_LIVING, key=key)


def finish(work: UnitOfWork, *, key: str, status: int, body: bytes) -> None:
    work.queue(_FINISH, key=key, status=status, body=body)


async def release(work: UnitOfWork, turn_ids: list[str]) -> None:
    """Gives up the keys of turns that came to nothing, so that a retry starts afresh."""
    await work.run(_RELEASE, turn_ids=turn_ids)


async def purge(work: UnitOfWork) -> int:
    return await work.run(_PURGE)
