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

-- A blob's row goes in the same transaction that writes one of these, the object after it, and this row last: whoever
-- dies in between leaves a record of what is still to be removed.
CREATE TABLE blob_deletions (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,      -- that of the blob
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id)
);

-- How an invariant's last run went, and where one that looks at a part each time goes on.
CREATE TABLE invariant_runs (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  name text NOT NULL,
  ran_at timestamptz,
  took_ms double precision,
  error text,                           -- the code of what kept it from looking
  place text,
  PRIMARY KEY (tenant_id, name)
);
CREATE TABLE invariant_findings (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  name text NOT NULL,
  subject text COLLATE "C" NOT NULL,
  detail text NOT NULL,                 -- ids and words of ours
  since timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name, subject)
);
-- Up to which version a cube's chain was found unbroken; -1: not at all.
CREATE TABLE chain_marks (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  cube_id text COLLATE "C" PRIMARY KEY,
  number integer NOT NULL CHECK (number >= -1),
  hash text,
  checked_at timestamptz NOT NULL DEFAULT now(),
  FOREIGN KEY (tenant_id, cube_id) REFERENCES memcubes (tenant_id, id),
  CHECK ((number = -1) = (hash IS NULL))
);
CREATE INDEX chain_marks_by_age ON chain_marks (tenant_id, checked_at);
-- Looked at again and again: which blobs nothing refers to.
CREATE INDEX blobs_by_age ON blobs (tenant_id, created_at);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['schedules', 'blob_deletions', 'invariant_runs', 'invariant_findings', 'chain_marks'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO memos_app USING (tenant_id = memos_tenant()) '
                   'WITH CHECK (tenant_id = memos_tenant())', t);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO memos_app', t);
  END LOOP;
END $$;
GRANT UPDATE (task, every_s, runs, last_at) ON schedules TO memos_app;
GRANT UPDATE ON invariant_runs, invariant_findings, chain_marks TO memos_app;
GRANT DELETE ON blob_deletions, invariant_findings TO memos_app;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
