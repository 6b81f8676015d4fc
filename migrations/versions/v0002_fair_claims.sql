-- Claims that are fair between tenants, that respect a subject's back-off, and that count a worker which went silent.

GRANT CREATE ON SCHEMA public TO memos_owner, memos_door;
SET LOCAL ROLE memos_owner;
CREATE INDEX outbox_open_by_tenant ON outbox (tenant_id, available_at) WHERE status IN ('queued', 'running');
DROP INDEX outbox_open;
GRANT UPDATE (failures) ON outbox TO memos_door;
RESET ROLE;
SET LOCAL ROLE memos_door;

-- Claims open jobs, at most one per subject, since its task takes everything that is pending. Tenants take turns, each
-- with its oldest job first: nobody's thousand jobs delay somebody's one. Left alone are subjects that are worked on,
-- that failed and wait for an admin, or whose last error says when to try again. A lease that ran out is claimed again:
-- at least once (P8). If a worker held it, that counts as a failure of the job: it may be what kills workers.
CREATE OR REPLACE FUNCTION memos_door_claim(owner text, most integer, lease_s double precision)
  RETURNS TABLE (job_id text, tenant_id text, task text, subject text)
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  -- Every tenant that has open jobs, by one index probe each.
  WITH RECURSIVE waiting (tenant) AS (
    (SELECT o.tenant_id FROM outbox o WHERE o.status IN ('queued', 'running') ORDER BY o.tenant_id LIMIT 1)
    UNION ALL
    SELECT (SELECT o.tenant_id FROM outbox o WHERE o.status IN ('queued', 'running') AND o.tenant_id > w.tenant
            ORDER BY o.tenant_id LIMIT 1)
    FROM waiting w WHERE w.tenant IS NOT NULL
  ), ready AS (
    SELECT w.tenant, r.* FROM waiting w CROSS JOIN LATERAL (
      SELECT o.id, o.task, o.subject, o.available_at FROM outbox o
      WHERE o.tenant_id = w.tenant AND o.status IN ('queued', 'running')
        AND ((o.status = 'queued' AND o.available_at <= now()) OR (o.status = 'running' AND o.lease_expires_at < now()))
        AND NOT EXISTS (
          SELECT FROM outbox b WHERE b.subject = o.subject AND b.task = o.task
            AND b.status IN ('queued', 'running', 'failed')
            AND (b.status = 'failed' OR (b.status = 'running' AND b.lease_expires_at >= now())
                 OR (b.status = 'queued' AND b.error IS NOT NULL AND b.available_at > now())))
      ORDER BY o.available_at LIMIT most * 4) r
    WHERE w.tenant IS NOT NULL
  ), chosen AS (
    SELECT DISTINCT ON (r.task, r.subject) r.id, r.tenant, r.available_at FROM ready r ORDER BY r.task, r.subject, r.id
  ), ranked AS (
    SELECT c.id FROM (
      SELECT c.id, c.available_at, row_number() OVER (PARTITION BY c.tenant ORDER BY c.available_at, c.id) AS turn
      FROM chosen c) c
    ORDER BY c.turn, c.available_at, c.id LIMIT most
  ), locked AS (
    -- Another relay may be at the same rows: what it holds is its own, and what it has claimed is no longer open.
    SELECT o.id, o.status = 'running' AND o.lease_owner LIKE 'worker-%' AS lost FROM outbox o
    WHERE o.id IN (SELECT id FROM ranked)
      AND ((o.status = 'queued' AND o.available_at <= now()) OR (o.status = 'running' AND o.lease_expires_at < now()))
    FOR UPDATE SKIP LOCKED
  )
  UPDATE outbox o SET status = 'running', dispatches = o.dispatches + 1, failures = o.failures + l.lost::integer,
         lease_owner = owner, lease_expires_at = now() + make_interval(secs => lease_s)
  FROM locked l WHERE o.id = l.id
  RETURNING o.id, o.tenant_id, o.task, o.subject
$$;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner, memos_door;
