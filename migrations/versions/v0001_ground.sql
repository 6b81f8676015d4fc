-- Every table of a tenant carries tenant_id, has FORCED row-level security from its first moment, and refers to other
-- tables by (tenant_id, id), so that not even a bug in our own queries can join two tenants (P7).

GRANT CREATE ON SCHEMA public TO memos_owner, memos_door;
GRANT USAGE ON SCHEMA public TO memos_app, memos_door;
SET LOCAL ROLE memos_owner;

-- The tenant bound to this transaction by SET LOCAL; NULL matches no row.
CREATE FUNCTION memos_tenant() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('memos.tenant', true), '');

CREATE TABLE tenants (
  id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^ten_[0-9a-f]{32}$'),
  name text NOT NULL CHECK (length(name) BETWEEN 1 AND 200),
  created_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  name text NOT NULL,
  prefix text NOT NULL,
  digest bytea NOT NULL UNIQUE CHECK (length(digest) = 32),
  scopes text[] NOT NULL CHECK (scopes <@ ARRAY['operator', 'admin', 'app', 'read'] AND cardinality(scopes) > 0),
  created_at timestamptz NOT NULL DEFAULT now(),
  revoked_at timestamptz,
  UNIQUE (tenant_id, id)
);

-- The row commits before the upload; a version refers to it afterwards. Rows nothing refers to are garbage.
CREATE TABLE blobs (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id)
);

CREATE TABLE conversations (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  user_id text NOT NULL,
  agent_id text,
  title text,
  metadata jsonb NOT NULL DEFAULT '{}',
  fingerprint text NOT NULL,            -- the model it is pinned to
  epoch integer NOT NULL DEFAULT 0 CHECK (epoch >= 0),
  next_seq integer NOT NULL DEFAULT 1 CHECK (next_seq >= 1),
  replay_to integer NOT NULL DEFAULT 0, -- after a change of model: the turn up to which the state is being rebuilt
  parent_id text COLLATE "C",           -- the conversation it was forked from,
  parent_seq integer,                   -- after this turn; lineage names the exact version
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, parent_id) REFERENCES conversations (tenant_id, id),
  CHECK (num_nulls(parent_id, parent_seq) IN (0, 2))
);
CREATE INDEX conversations_by_user ON conversations (tenant_id, user_id, id);

CREATE TABLE memcubes (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  kind text NOT NULL CHECK (kind IN ('plaintext', 'activation', 'parameter')),
  user_id text,
  agent_id text,
  conversation_id text COLLATE "C",
  lifecycle text NOT NULL DEFAULT 'generated'
    CHECK (lifecycle IN ('generated', 'activated', 'archived', 'merged', 'expired', 'erased')),
  frozen boolean NOT NULL DEFAULT false,
  priority smallint NOT NULL DEFAULT 0,
  expires_at timestamptz,
  tags text[] NOT NULL DEFAULT '{}',
  sensitivity text NOT NULL DEFAULT 'normal',
  head_version_id text COLLATE "C" NOT NULL,
  head_number integer NOT NULL DEFAULT 0,
  reads bigint NOT NULL DEFAULT 0,
  last_read_at timestamptz,
  writes bigint NOT NULL DEFAULT 0,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id)
);
-- The short-term memory of a conversation is exactly one activation cube.
CREATE UNIQUE INDEX one_state_cube ON memcubes (conversation_id) WHERE kind = 'activation';
CREATE INDEX memcubes_by_user ON memcubes (tenant_id, user_id, id);

CREATE TABLE turns (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  conversation_id text COLLATE "C" NOT NULL,
  seq integer NOT NULL CHECK (seq >= 1),
  epoch integer NOT NULL,
  origin text NOT NULL DEFAULT 'live' CHECK (origin IN ('live', 'import')),
  status text NOT NULL CHECK (status IN
    ('accepted', 'answered', 'applied', 'failed', 'cancelled', 'skipped', 'superseded', 'erased')),
  input text NOT NULL,
  output text,
  finish_reason text CHECK (finish_reason IN ('stop', 'length', 'cancelled')),
  consistency text NOT NULL DEFAULT 'latest' CHECK (consistency IN ('latest', 'eventual')),
  idempotency_key text,
  base_version_id text COLLATE "C",     -- the state it read
  base_number integer,
  written_version_id text COLLATE "C",  -- the state it wrote
  written_number integer,
  lag integer,
  prompt_tokens integer,
  completion_tokens integer,
  timings_ms jsonb NOT NULL DEFAULT '{}',
  error jsonb,
  lease_owner text,
  lease_token text,
  lease_expires_at timestamptz,
  cancel_requested boolean NOT NULL DEFAULT false,
  superseded_epoch integer,             -- the epoch whose rollback left it behind
  created_at timestamptz NOT NULL DEFAULT now(),
  answered_at timestamptz,
  applied_at timestamptz,
  UNIQUE (tenant_id, id),
  UNIQUE (conversation_id, seq),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id),
  CHECK (status <> 'accepted' OR num_nulls(lease_owner, lease_token, lease_expires_at) = 0),
  CHECK (status NOT IN ('answered', 'applied') OR output IS NOT NULL),
  CHECK ((status = 'applied') <= (written_version_id IS NOT NULL)),
  CHECK (status <> 'superseded' OR superseded_epoch IS NOT NULL)
);
CREATE INDEX turns_unsettled ON turns (conversation_id, seq) WHERE status IN ('accepted', 'answered');
CREATE INDEX turns_leased ON turns (tenant_id, lease_expires_at) WHERE status = 'accepted';

-- Written once, never changed: the service's role holds no UPDATE and no DELETE on it. A version's parent is the
-- version before it, by number and by hash, and has no other child: one unbroken line (P3), held by foreign key.
CREATE TABLE memcube_versions (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  cube_id text COLLATE "C" NOT NULL,
  number integer NOT NULL CHECK (number >= 0),
  operation text NOT NULL CHECK (operation IN
    ('create', 'revise', 'advance', 'merge', 'convert', 'rollback', 'fork', 'import', 'migrate')),
  parent_id text COLLATE "C",
  parent_number integer GENERATED ALWAYS AS (CASE WHEN number > 0 THEN number - 1 END) STORED,
  parent_hash text,
  hash text NOT NULL,
  commitment text NOT NULL,
  nonce bytea NOT NULL,
  payload text NOT NULL CHECK (payload IN ('start', 'blob', 'text')),
  blob_id text COLLATE "C",
  content text,
  payload_sha256 text NOT NULL,
  size_bytes bigint NOT NULL,
  fingerprint text,
  metadata jsonb NOT NULL DEFAULT '{}',
  conversation_id text COLLATE "C",
  epoch integer,
  turn_id text COLLATE "C",
  turn_seq integer,
  valid_from timestamptz,
  valid_to timestamptz,
  created_at timestamptz NOT NULL,
  created_by text NOT NULL,
  UNIQUE (tenant_id, id),
  UNIQUE (cube_id, number),
  UNIQUE (cube_id, number, id),
  UNIQUE (cube_id, number, hash, id),
  UNIQUE (parent_id),
  FOREIGN KEY (tenant_id, cube_id) REFERENCES memcubes (tenant_id, id),
  FOREIGN KEY (cube_id, parent_number, parent_hash, parent_id)
    REFERENCES memcube_versions (cube_id, number, hash, id),
  FOREIGN KEY (tenant_id, blob_id) REFERENCES blobs (tenant_id, id),
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id),
  FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id),
  CHECK (num_nulls(parent_id, parent_hash) = CASE WHEN number = 0 THEN 2 ELSE 0 END),
  CHECK ((payload = 'blob') = (blob_id IS NOT NULL)),
  CHECK ((payload = 'text') = (content IS NOT NULL))
);
CREATE UNIQUE INDEX one_state_per_turn ON memcube_versions (conversation_id, epoch, turn_id)
  WHERE operation = 'advance';
CREATE UNIQUE INDEX one_migration_per_epoch ON memcube_versions (cube_id, epoch) WHERE operation = 'migrate';
CREATE INDEX versions_by_blob ON memcube_versions (blob_id) WHERE blob_id IS NOT NULL;

ALTER TABLE memcubes ADD FOREIGN KEY (id, head_number, head_version_id)
  REFERENCES memcube_versions (cube_id, number, id) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE turns ADD FOREIGN KEY (tenant_id, base_version_id) REFERENCES memcube_versions (tenant_id, id);
ALTER TABLE turns ADD FOREIGN KEY (tenant_id, written_version_id) REFERENCES memcube_versions (tenant_id, id);

CREATE TABLE lineage_edges (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  child_id text COLLATE "C" NOT NULL,
  parent_id text COLLATE "C" NOT NULL,
  relation text NOT NULL CHECK (relation IN
    ('revises', 'advances', 'merges', 'converts', 'distils', 'recalls', 'imports', 'restores', 'forks')),
  PRIMARY KEY (child_id, parent_id, relation),
  FOREIGN KEY (tenant_id, child_id) REFERENCES memcube_versions (tenant_id, id),
  FOREIGN KEY (tenant_id, parent_id) REFERENCES memcube_versions (tenant_id, id),
  CHECK (child_id <> parent_id)
);
CREATE INDEX lineage_down ON lineage_edges (parent_id);

CREATE TABLE turn_reads (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  turn_id text COLLATE "C" NOT NULL,
  version_id text COLLATE "C" NOT NULL,
  rank integer NOT NULL,
  score double precision,
  PRIMARY KEY (turn_id, version_id),
  FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id),
  FOREIGN KEY (tenant_id, version_id) REFERENCES memcube_versions (tenant_id, id)
);

CREATE TABLE idempotency_keys (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  key text NOT NULL,
  request_sha256 text NOT NULL,
  turn_id text COLLATE "C",             -- set while a turn holds it
  status integer,                       -- of the stored answer; NULL while in flight
  body bytea,
  created_at timestamptz NOT NULL DEFAULT now(),
  expires_at timestamptz NOT NULL,
  PRIMARY KEY (tenant_id, key),
  CHECK (num_nulls(status, body) IN (0, 2))
);
CREATE INDEX idempotency_keys_by_expiry ON idempotency_keys (tenant_id, expires_at);

-- The outbox row is the job: written in the transaction whose effect it promises, done in the one that has the effect.
CREATE TABLE outbox (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  task text NOT NULL,
  subject text COLLATE "C" NOT NULL,    -- what the task is told: an id
  turn_id text COLLATE "C",             -- whose effect ends it
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done', 'failed')),
  dispatches integer NOT NULL DEFAULT 0,
  failures integer NOT NULL DEFAULT 0,
  available_at timestamptz NOT NULL DEFAULT now(),
  lease_owner text,
  lease_expires_at timestamptz,
  error jsonb,
  created_at timestamptz NOT NULL DEFAULT now(),
  done_at timestamptz,
  FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id),
  CHECK ((status = 'running') = (lease_expires_at IS NOT NULL)),
  CHECK ((status = 'done') = (done_at IS NOT NULL)),
  CHECK (status <> 'failed' OR error IS NOT NULL)
);
CREATE INDEX outbox_open ON outbox (available_at) WHERE status IN ('queued', 'running');
CREATE INDEX outbox_open_subject ON outbox (subject, task) WHERE status IN ('queued', 'running', 'failed');
CREATE INDEX outbox_by_turn ON outbox (turn_id) WHERE status <> 'done';
CREATE INDEX outbox_by_tenant ON outbox (tenant_id, id);

-- State machines and one-way counters, so that a bug is an error and not a fact.
CREATE FUNCTION memos_check_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.tenant_id, OLD.conversation_id, OLD.seq, OLD.epoch) IS DISTINCT FROM
     (NEW.tenant_id, NEW.conversation_id, NEW.seq, NEW.epoch) THEN
    RAISE EXCEPTION 'a turn keeps its place' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.status <> NEW.status AND NOT (OLD.status || '>' || NEW.status = ANY (ARRAY[
    'accepted>answered', 'accepted>failed', 'accepted>cancelled', 'accepted>superseded',
    'answered>applied', 'answered>skipped', 'answered>superseded', 'applied>superseded',
    'skipped>superseded', 'answered>erased', 'applied>erased', 'superseded>erased', 'skipped>erased',
    'failed>erased', 'cancelled>erased'])) THEN
    RAISE EXCEPTION 'a turn cannot go from % to %', OLD.status, NEW.status
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER turns_check BEFORE UPDATE ON turns FOR EACH ROW EXECUTE FUNCTION memos_check_turn();

CREATE FUNCTION memos_check_conversation() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.epoch < OLD.epoch OR NEW.next_seq < OLD.next_seq THEN
    RAISE EXCEPTION 'epoch and sequence only rise' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER conversations_check BEFORE UPDATE ON conversations
  FOR EACH ROW EXECUTE FUNCTION memos_check_conversation();

CREATE FUNCTION memos_check_head() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.head_number <> OLD.head_number + 1 THEN
    RAISE EXCEPTION 'a head moves one version at a time' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER memcubes_head BEFORE UPDATE OF head_version_id, head_number ON memcubes
  FOR EACH ROW EXECUTE FUNCTION memos_check_head();

-- Row-level security: one policy for every table, forced on the owner too.
DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['api_keys', 'blobs', 'conversations', 'memcubes', 'turns', 'memcube_versions',
                           'lineage_edges', 'turn_reads', 'idempotency_keys', 'outbox'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO memos_app USING (tenant_id = memos_tenant()) '
                   'WITH CHECK (tenant_id = memos_tenant())', t);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO memos_app', t);
  END LOOP;
END $$;
ALTER TABLE tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE tenants FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON tenants TO memos_app USING (id = memos_tenant()) WITH CHECK (id = memos_tenant());
GRANT SELECT, INSERT ON tenants TO memos_app;
GRANT UPDATE ON conversations, memcubes, turns, idempotency_keys, outbox TO memos_app;
GRANT UPDATE (revoked_at) ON api_keys TO memos_app;
GRANT DELETE ON idempotency_keys, blobs TO memos_app;

-- The three doors that cross tenants (law 5). Their owner sees only what they need and they return ids alone.
CREATE POLICY door ON api_keys FOR SELECT TO memos_door USING (true);
CREATE POLICY door ON tenants FOR SELECT TO memos_door USING (true);
CREATE POLICY door ON outbox TO memos_door USING (true);
GRANT SELECT (tenant_id, id, digest, revoked_at) ON api_keys TO memos_door;
GRANT SELECT (id) ON tenants TO memos_door;
GRANT SELECT, UPDATE (status, dispatches, lease_owner, lease_expires_at) ON outbox TO memos_door;
RESET ROLE;
SET LOCAL ROLE memos_door;

CREATE FUNCTION memos_door_key(key_digest bytea) RETURNS TABLE (tenant_id text, key_id text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT k.tenant_id, k.id FROM api_keys k WHERE k.digest = key_digest AND k.revoked_at IS NULL
$$;

CREATE FUNCTION memos_door_tenants() RETURNS TABLE (tenant_id text)
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  SELECT t.id FROM tenants t ORDER BY t.id
$$;

-- Claims open jobs, oldest first, one per subject: a subject already being worked on is left alone, since its task
-- takes everything that is pending. A claim whose lease ran out is claimed again: at least once (P8).
CREATE FUNCTION memos_door_claim(owner text, most integer, lease_s double precision)
  RETURNS TABLE (job_id text, tenant_id text, task text, subject text)
  LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = public, pg_temp AS $$
  WITH ready AS (
    SELECT o.id, o.task, o.subject, o.available_at FROM outbox o
    WHERE ((o.status = 'queued' AND o.available_at <= now()) OR (o.status = 'running' AND o.lease_expires_at < now()))
      AND NOT EXISTS (SELECT FROM outbox r WHERE r.subject = o.subject AND r.task = o.task
                        AND r.status = 'running' AND r.lease_expires_at >= now())
      AND NOT EXISTS (SELECT FROM outbox f WHERE f.subject = o.subject AND f.task = o.task AND f.status = 'failed')
    ORDER BY o.available_at, o.id
    LIMIT most * 8
    FOR UPDATE SKIP LOCKED
  ), chosen AS (
    SELECT DISTINCT ON (r.task, r.subject) r.id, r.available_at FROM ready r ORDER BY r.task, r.subject, r.id
  )
  UPDATE outbox o SET status = 'running', dispatches = o.dispatches + 1, lease_owner = owner,
         lease_expires_at = now() + make_interval(secs => lease_s)
  FROM (SELECT c.id FROM chosen c ORDER BY c.available_at, c.id LIMIT most) pick
  WHERE o.id = pick.id
  RETURNING o.id, o.tenant_id, o.task, o.subject
$$;
RESET ROLE;
REVOKE ALL ON FUNCTION memos_door_key, memos_door_tenants, memos_door_claim FROM PUBLIC;
GRANT EXECUTE ON FUNCTION memos_door_key, memos_door_tenants, memos_door_claim TO memos_app;
REVOKE CREATE ON SCHEMA public FROM memos_owner, memos_door;
