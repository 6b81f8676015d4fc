-- Schedules of what runs by itself, and what the invariants found.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

-- One row for each schedule of a tenant. Whoever finds it due moves last_at under the row's lock and queues its one job
-- in the same statement.
CREATE TABLE schedules (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  task text NOT NULL,
  every_s double precision NOT NULL CHECK (every_s > 0),
  runs bigint NOT NULL DEFAULT 0,
  last_at timestamptz NOT NULL DEFAULT now(),   -- when it was last queued; at first, when it was first seen
  UNIQUE (tenant_id, id),
  UNIQUE (tenant_id, name)
);
ALTER TABLE outbox
  ADD COLUMN schedule_id text COLLATE "C" UNIQUE,
  ADD FOREIGN KEY (tenant_id, schedule_id) REFERENCES schedules (tenant_id, id);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['schedules'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO memos_app USING (tenant_id = memos_tenant()) '
                   'WITH CHECK (tenant_id = memos_tenant())', t);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO memos_app', t);
  END LOOP;
END $$;
GRANT UPDATE (task, every_s, runs, last_at) ON schedules TO memos_app;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
