-- Retention policies and their decisions; consolidation runs. Reasons and details hold ids and words of ours only, never
-- what a user said; decisions and steps are planned once and then only told how they ended.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

CREATE TABLE policies (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  rule jsonb NOT NULL CHECK (jsonb_typeof(rule -> 'kind') = 'string'),  -- which rule, and its numbers
  user_id text,                         -- whose cubes; NULL: everybody's
  cube_kind text CHECK (cube_kind IN ('plaintext', 'activation', 'parameter')),
  per_user boolean NOT NULL DEFAULT false,
  action text NOT NULL CHECK (action IN ('archive', 'expire', 'erase', 'report')),
  every_s double precision CHECK (every_s > 0),
  enabled boolean NOT NULL DEFAULT true,
  builtin boolean NOT NULL DEFAULT false,
  last_run_at timestamptz,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now(),
  deleted_at timestamptz,               -- its decisions stay, and name it
  UNIQUE (tenant_id, id)
);
CREATE UNIQUE INDEX one_builtin_policy ON policies (tenant_id) WHERE builtin;

CREATE TABLE policy_runs (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  policy_id text COLLATE "C" NOT NULL,
  dry_run boolean NOT NULL,
  -- One that failed for good is told by its job, which an admin may try again.
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done')),
  as_of timestamptz NOT NULL,           -- the moment that the rule decides by, however late its job runs
  considered integer,
  decided integer,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  done_at timestamptz,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, policy_id) REFERENCES policies (tenant_id, id),
  CHECK ((status = 'done') = (done_at IS NOT NULL))
);
CREATE INDEX policy_runs_by_policy ON policy_runs (policy_id, id);
CREATE INDEX policy_runs_open ON policy_runs (tenant_id, policy_id) WHERE status IN ('queued', 'running');

CREATE TABLE policy_decisions (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  run_id text COLLATE "C" NOT NULL,
  number integer NOT NULL CHECK (number >= 0),
  policy_id text COLLATE "C" NOT NULL,
  id text COLLATE "C" PRIMARY KEY,
  cube_id text COLLATE "C" NOT NULL,
  version_id text COLLATE "C",          -- of a rule that looks at versions
  action text NOT NULL CHECK (action IN ('archive', 'expire', 'erase', 'report')),
  reason text NOT NULL,
  head_number integer NOT NULL,         -- of the cube as it was looked at
  reads bigint NOT NULL,
  outcome text CHECK (outcome IN ('done', 'skipped', 'dry_run')),
  outcome_reason text,
  outcome_at timestamptz,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  UNIQUE (run_id, number),
  FOREIGN KEY (tenant_id, run_id) REFERENCES policy_runs (tenant_id, id),
  FOREIGN KEY (tenant_id, policy_id) REFERENCES policies (tenant_id, id),
  FOREIGN KEY (tenant_id, cube_id) REFERENCES memcubes (tenant_id, id),
  FOREIGN KEY (tenant_id, version_id) REFERENCES memcube_versions (tenant_id, id),
  CHECK ((outcome IS NULL) = (outcome_at IS NULL))
);
CREATE INDEX policy_decisions_by_policy ON policy_decisions (policy_id, id);
CREATE INDEX policy_decisions_open ON policy_decisions (run_id, number) WHERE outcome IS NULL;
CREATE INDEX policy_decisions_by_cube ON policy_decisions (cube_id);

CREATE TABLE consolidations (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  user_id text NOT NULL,
  dry_run boolean NOT NULL,
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done')),
  wanted jsonb NOT NULL,                -- thresholds, and which kinds of step
  considered integer,
  planned integer,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  done_at timestamptz,
  UNIQUE (tenant_id, id),
  CHECK ((status = 'done') = (done_at IS NOT NULL))
);
CREATE INDEX consolidations_by_user ON consolidations (tenant_id, user_id, id);

CREATE TABLE consolidation_steps (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  run_id text COLLATE "C" NOT NULL,
  number integer NOT NULL CHECK (number >= 0),
  kind text NOT NULL CHECK (kind IN ('merge', 'supersede', 'fold', 'propose')),
  cube_ids text[] COLLATE "C" NOT NULL CHECK (cardinality(cube_ids) >= 1),
  version_ids text[] COLLATE "C" NOT NULL,  -- their heads as they were looked at
  reason text NOT NULL,
  outcome text CHECK (outcome IN ('done', 'skipped', 'dry_run')),
  outcome_reason text,
  outcome_at timestamptz,
  made_cube_ids text[] COLLATE "C" NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (run_id, number),
  FOREIGN KEY (tenant_id, run_id) REFERENCES consolidations (tenant_id, id),
  CHECK (cardinality(cube_ids) = cardinality(version_ids)),
  CHECK ((outcome IS NULL) = (outcome_at IS NULL))
);

CREATE TABLE consolidation_proposals (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  run_id text COLLATE "C" NOT NULL,
  cube_id text COLLATE "C" NOT NULL,
  version_id text COLLATE "C" NOT NULL,
  user_id text NOT NULL,
  status text NOT NULL DEFAULT 'open' CHECK (status IN ('open', 'accepted', 'dismissed')),
  reason text NOT NULL,
  delta_run_id text COLLATE "C",        -- what came of an accepted one
  created_at timestamptz NOT NULL DEFAULT now(),
  decided_at timestamptz,
  decided_by text,
  UNIQUE (tenant_id, id),
  UNIQUE (version_id),                  -- a text is proposed once, whatever was decided
  FOREIGN KEY (tenant_id, run_id) REFERENCES consolidations (tenant_id, id),
  FOREIGN KEY (tenant_id, cube_id) REFERENCES memcubes (tenant_id, id),
  FOREIGN KEY (tenant_id, version_id) REFERENCES memcube_versions (tenant_id, id),
  CHECK ((status = 'open') = (decided_at IS NULL))
);
CREATE INDEX consolidation_proposals_listed ON consolidation_proposals (tenant_id, status, id);

-- When a memory was read, for rules that go by use.
CREATE INDEX turn_reads_by_version ON turn_reads (version_id);

-- Every tenant has the rule that a cube's own expires_at is kept, from its first moment and under an id of its own.
CREATE FUNCTION memos_builtin_policy() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO policies (tenant_id, id, name, rule, action, every_s, builtin, created_by)
  VALUES (NEW.id, replace(NEW.id, 'ten_', 'rule_'), 'expires_at of each cube', '{"kind": "expires_at"}', 'expire', 300,
          true, 'built-in');
  RETURN NEW;
END $$;
CREATE TRIGGER tenants_builtin_policy AFTER INSERT ON tenants
  FOR EACH ROW EXECUTE FUNCTION memos_builtin_policy();

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['policies', 'policy_runs', 'policy_decisions', 'consolidations', 'consolidation_steps',
                           'consolidation_proposals'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO memos_app USING (tenant_id = memos_tenant()) '
                   'WITH CHECK (tenant_id = memos_tenant())', t);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO memos_app', t);
  END LOOP;
END $$;
GRANT UPDATE (name, rule, per_user, action, every_s, enabled, last_run_at, updated_at, deleted_at) ON policies TO memos_app;
GRANT UPDATE (status, as_of, considered, decided, done_at) ON policy_runs TO memos_app;
GRANT UPDATE (outcome, outcome_reason, outcome_at) ON policy_decisions TO memos_app;
GRANT UPDATE (status, considered, planned, done_at) ON consolidations TO memos_app;
GRANT UPDATE (outcome, outcome_reason, outcome_at, made_cube_ids) ON consolidation_steps TO memos_app;
GRANT UPDATE (status, delta_run_id, decided_at, decided_by) ON consolidation_proposals TO memos_app;
RESET ROLE;
-- Tenants that were there before: past row-level security, as whoever migrates.
INSERT INTO policies (tenant_id, id, name, rule, action, every_s, builtin, created_by)
SELECT id, replace(id, 'ten_', 'rule_'), 'expires_at of each cube', '{"kind": "expires_at"}', 'expire', 300, true,
       'built-in' FROM tenants;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
