-- Parameter cubes: what a run distils, from which versions, for whom, and what became of it. A run's row is the job's
-- state; its inputs are only ever added. The delta itself is a version of a cube like any other.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

CREATE TABLE distil_runs (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  user_id text,
  agent_id text,
  inputs_key text NOT NULL,             -- of versions, model wanted, sizes and seed: nothing of whose it is
  rank integer NOT NULL CHECK (rank BETWEEN 1 AND 64),
  steps integer NOT NULL CHECK (steps BETWEEN 1 AND 10000),
  seed bigint NOT NULL,
  wanted_model text,                    -- set where a change of model asked for it
  replaces text COLLATE "C",            -- the cube that is archived when this one's is there
  fingerprint text,                     -- of the model that it is trained for, once it has begun
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done', 'failed')),
  step integer NOT NULL DEFAULT 0,
  figures jsonb NOT NULL DEFAULT '{}',
  error jsonb,
  cube_id text COLLATE "C",
  reason text NOT NULL,
  retired_at timestamptz,               -- its inputs are to be forgotten: it commits nothing any more
  created_at timestamptz NOT NULL DEFAULT now(),
  created_by text NOT NULL,
  started_at timestamptz,
  done_at timestamptz,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, cube_id) REFERENCES memcubes (tenant_id, id),
  FOREIGN KEY (tenant_id, replaces) REFERENCES memcubes (tenant_id, id),
  CHECK (num_nonnulls(user_id, agent_id) = 1),
  CHECK ((status = 'done') = (cube_id IS NOT NULL)),
  CHECK (status <> 'failed' OR error IS NOT NULL)
);
-- However often it is asked for, delivered or killed: one run, and of a run one cube.
CREATE UNIQUE INDEX one_run_per_inputs ON distil_runs (tenant_id, inputs_key, user_id, agent_id) NULLS NOT DISTINCT
  WHERE retired_at IS NULL AND user_id IS DISTINCT FROM 'erased';
CREATE UNIQUE INDEX one_cube_per_run ON distil_runs (cube_id) WHERE cube_id IS NOT NULL;
CREATE INDEX distil_runs_by_tenant ON distil_runs (tenant_id, id);
CREATE INDEX distil_runs_replacing ON distil_runs (replaces) WHERE replaces IS NOT NULL;

CREATE TABLE distil_inputs (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  run_id text COLLATE "C" NOT NULL,
  version_id text COLLATE "C" NOT NULL,
  place integer NOT NULL,               -- oldest first: what was said last wins
  PRIMARY KEY (run_id, version_id),
  FOREIGN KEY (tenant_id, run_id) REFERENCES distil_runs (tenant_id, id),
  FOREIGN KEY (tenant_id, version_id) REFERENCES memcube_versions (tenant_id, id)
);
CREATE INDEX distil_inputs_by_version ON distil_inputs (version_id);

-- What a turn looks up: the deltas that are mounted for a user, or for an agent.
CREATE INDEX mounted_by_user ON memcubes (tenant_id, user_id) WHERE kind = 'parameter' AND lifecycle = 'activated';
CREATE INDEX mounted_by_agent ON memcubes (tenant_id, agent_id) WHERE kind = 'parameter' AND lifecycle = 'activated';

CREATE FUNCTION memos_check_distil_run() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.tenant_id, OLD.agent_id, OLD.inputs_key, OLD.rank, OLD.steps, OLD.seed, OLD.created_at) IS DISTINCT FROM
     (NEW.tenant_id, NEW.agent_id, NEW.inputs_key, NEW.rank, NEW.steps, NEW.seed, NEW.created_at)
     OR (NEW.user_id IS DISTINCT FROM OLD.user_id AND NEW.user_id IS DISTINCT FROM 'erased') THEN
    RAISE EXCEPTION 'a run stays what it is' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.status <> NEW.status AND NOT (OLD.status || '>' || NEW.status = ANY (ARRAY[
    'queued>running', 'queued>failed', 'running>queued', 'running>done', 'running>failed', 'failed>queued'])) THEN
    RAISE EXCEPTION 'a run cannot go from % to %', OLD.status, NEW.status
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.retired_at IS NOT NULL AND (NEW.retired_at IS NULL OR (NEW.status = 'done' AND OLD.status <> 'done')) THEN
    RAISE EXCEPTION 'a retired run takes no effect' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER distil_runs_check BEFORE UPDATE ON distil_runs
  FOR EACH ROW EXECUTE FUNCTION memos_check_distil_run();

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['distil_runs', 'distil_inputs'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO memos_app USING (tenant_id = memos_tenant()) '
                   'WITH CHECK (tenant_id = memos_tenant())', t);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO memos_app', t);
  END LOOP;
END $$;
-- A person sees the runs that are for them.
CREATE POLICY actor ON distil_runs AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS DISTINCT FROM 'person' OR memos_owns(user_id, agent_id));
CREATE POLICY actor ON distil_inputs AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS DISTINCT FROM 'person' OR EXISTS (SELECT FROM distil_runs r WHERE r.id = run_id));
-- The name goes with an erasure of the user.
GRANT UPDATE (status, step, figures, error, fingerprint, cube_id, retired_at, started_at, done_at, user_id)
  ON distil_runs TO memos_app;
ALTER TABLE distil_runs ALTER user_id SET STATISTICS 0, ALTER agent_id SET STATISTICS 0;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
