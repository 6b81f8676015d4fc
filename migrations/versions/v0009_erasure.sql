-- Erasures, their reach and their receipts. Words leave a row only into the erased form, only while an erasure of this
-- tenant is running, and each row names it: an UPDATE of our own that forgets any of this is an error (P4, P6).

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

-- Rises under its row lock with every change that other processes must have heard of; `erasure` is the first of them.
CREATE TABLE scopes (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  name text COLLATE "C" NOT NULL,
  revision bigint NOT NULL DEFAULT 0 CHECK (revision >= 0),
  PRIMARY KEY (tenant_id, name)
);

-- Who serves: ids of our own and times, of no tenant. One that is silent past its lease is gone.
CREATE TABLE processes (
  id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^[a-z]+-[0-9a-f]{16}$'),
  started_at timestamptz NOT NULL DEFAULT now(),
  lease_expires_at timestamptz NOT NULL
);

-- Up to which revision of a scope a process holds nothing old any more.
CREATE TABLE confirmations (
  tenant_id text COLLATE "C" NOT NULL,
  name text COLLATE "C" NOT NULL,
  process_id text COLLATE "C" NOT NULL,
  revision bigint NOT NULL,
  confirmed_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (tenant_id, name, process_id),
  FOREIGN KEY (tenant_id, name) REFERENCES scopes (tenant_id, name)
);

CREATE TABLE erasures (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  target text NOT NULL CHECK (target IN ('user', 'conversation', 'turn', 'cube', 'version')),
  subject text NOT NULL,                -- an id of ours; of a user an internal one, never the name
  roots jsonb NOT NULL,                 -- ids by kind: what was to be erased when it was asked for
  derived text NOT NULL CHECK (derived IN ('redact', 'erase', 'list')),
  dry_run boolean NOT NULL,
  status text NOT NULL DEFAULT 'queued' CHECK (status IN ('queued', 'running', 'done', 'failed')),
  step text NOT NULL DEFAULT 'hold'
    CHECK (step IN ('hold', 'confirm', 'plan', 'erase', 'replay', 'verify', 'physical', 'end')),
  revision bigint,                      -- of the scope `erasure`: what every process has to confirm
  ledger_of text,                       -- done again after a restore: from the ledger of the service it was asked of
  receipt jsonb,
  requested_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  held_at timestamptz,
  logical_at timestamptz,
  physical_at timestamptz,
  UNIQUE (tenant_id, id),
  CHECK (NOT dry_run OR num_nulls(held_at, receipt, logical_at, physical_at) = 4),
  CHECK ((logical_at IS NULL) = (receipt IS NULL)),
  CHECK (physical_at IS NULL OR logical_at IS NOT NULL)
);
CREATE INDEX erasures_by_tenant ON erasures (tenant_id, id);

-- What an erasure reaches, one row a thing; done_at is set in the transaction that has the effect.
CREATE TABLE erasure_items (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  erasure_id text COLLATE "C" NOT NULL,
  store text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  action text NOT NULL CHECK (action IN ('erase', 'redact', 'rebuild', 'list')),
  why text NOT NULL,                    -- words of ours
  details jsonb NOT NULL DEFAULT '{}',  -- ids and numbers
  done_at timestamptz,
  PRIMARY KEY (erasure_id, store, id),
  FOREIGN KEY (tenant_id, erasure_id) REFERENCES erasures (tenant_id, id)
);
CREATE INDEX erasure_items_open ON erasure_items (erasure_id, store, id) WHERE done_at IS NULL AND action <> 'list';

ALTER TABLE conversations
  ADD COLUMN erasing_by text COLLATE "C",   -- held: nothing of it is read or changed until that erasure lets go
  ADD COLUMN erased_by text COLLATE "C",
  ADD FOREIGN KEY (tenant_id, erasing_by) REFERENCES erasures (tenant_id, id),
  ADD FOREIGN KEY (tenant_id, erased_by) REFERENCES erasures (tenant_id, id),
  ADD CHECK (erased_by IS NULL OR (user_id = 'erased' AND num_nulls(agent_id, title) = 2 AND metadata = '{}'));
CREATE INDEX conversations_held ON conversations (erasing_by) WHERE erasing_by IS NOT NULL;
CREATE INDEX conversations_by_parent ON conversations (parent_id) WHERE parent_id IS NOT NULL;

ALTER TABLE memcubes
  ADD COLUMN erasing_by text COLLATE "C",
  ADD FOREIGN KEY (tenant_id, erasing_by) REFERENCES erasures (tenant_id, id);
CREATE INDEX memcubes_held ON memcubes (erasing_by) WHERE erasing_by IS NOT NULL;

ALTER TABLE turns
  ADD COLUMN erased_by text COLLATE "C",    -- the erasure that took its words, or its answer alone
  ADD FOREIGN KEY (tenant_id, erased_by) REFERENCES erasures (tenant_id, id),
  ADD CHECK (status <> 'erased' OR (erased_by IS NOT NULL AND input = '' AND num_nulls(output, error, idempotency_key) = 3));
CREATE INDEX turns_by_base ON turns (base_version_id) WHERE base_version_id IS NOT NULL;
CREATE INDEX IF NOT EXISTS turn_reads_by_version ON turn_reads (version_id);
CREATE INDEX versions_by_turn ON memcube_versions (turn_id) WHERE turn_id IS NOT NULL;

-- How an erasure names a key, which is a caller's word.
ALTER TABLE idempotency_keys ADD COLUMN id uuid NOT NULL UNIQUE DEFAULT gen_random_uuid();

ALTER TABLE memcube_versions
  ADD COLUMN erased_by text COLLATE "C",
  ALTER COLUMN nonce DROP NOT NULL,
  ALTER COLUMN payload_sha256 DROP NOT NULL,
  ADD FOREIGN KEY (tenant_id, erased_by) REFERENCES erasures (tenant_id, id),
  DROP CONSTRAINT memcube_versions_payload_check,
  ADD CONSTRAINT memcube_versions_payload_check CHECK (payload IN ('start', 'blob', 'text', 'erased')),
  ADD CHECK ((payload = 'erased') = (erased_by IS NOT NULL)),
  ADD CHECK (num_nulls(nonce, payload_sha256) = CASE WHEN payload = 'erased' THEN 2 ELSE 0 END),
  ADD CHECK (payload <> 'erased' OR (written IS NULL AND metadata = '{}' AND size_bytes = 0));

-- Of which conversation an object holds a state, also while no version refers to it yet.
ALTER TABLE blobs
  ADD COLUMN conversation_id text COLLATE "C",
  ADD FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id);
CREATE INDEX blobs_by_conversation ON blobs (conversation_id) WHERE conversation_id IS NOT NULL;

CREATE FUNCTION memos_erasing(erasure_id text) RETURNS boolean LANGUAGE sql STABLE
  RETURN EXISTS (SELECT FROM erasures e WHERE e.id = erasure_id AND e.status = 'running' AND NOT e.dry_run);

-- What was said stays (0003), except that a running erasure takes a whole turn, or its answer alone.
CREATE OR REPLACE FUNCTION memos_check_said() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.input <> OLD.input OR (OLD.output IS NOT NULL AND NEW.output IS DISTINCT FROM OLD.output) THEN
    IF NOT memos_erasing(NEW.erased_by) THEN
      RAISE EXCEPTION 'what was said in a turn stays' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
    IF NEW.status <> 'erased' AND (NEW.input <> OLD.input OR NEW.output <> '') THEN
      RAISE EXCEPTION 'an answer is taken back whole' USING ERRCODE = 'integrity_constraint_violation';
    END IF;
  END IF;
  RETURN NEW;
END $$;

-- A version changes once, into its tombstone; hash, commitment, place and lineage stay, so its chain verifies.
CREATE FUNCTION memos_check_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF OLD.payload = 'erased' OR NEW.payload <> 'erased' OR NOT memos_erasing(NEW.erased_by)
     OR (OLD.tenant_id, OLD.id, OLD.cube_id, OLD.number, OLD.operation, OLD.parent_id, OLD.parent_hash, OLD.hash,
         OLD.commitment, OLD.fingerprint, OLD.conversation_id, OLD.epoch, OLD.turn_id, OLD.turn_seq, OLD.valid_from,
         OLD.valid_to, OLD.created_at, OLD.created_by) IS DISTINCT FROM
        (NEW.tenant_id, NEW.id, NEW.cube_id, NEW.number, NEW.operation, NEW.parent_id, NEW.parent_hash, NEW.hash,
         NEW.commitment, NEW.fingerprint, NEW.conversation_id, NEW.epoch, NEW.turn_id, NEW.turn_seq, NEW.valid_from,
         NEW.valid_to, NEW.created_at, NEW.created_by) THEN
    RAISE EXCEPTION 'a version only becomes its tombstone' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER versions_check BEFORE UPDATE ON memcube_versions FOR EACH ROW EXECUTE FUNCTION memos_check_version();
GRANT UPDATE (nonce, payload, blob_id, content, payload_sha256, size_bytes, metadata, written, erased_by)
  ON memcube_versions TO memos_app;

-- An event loses its words with its cube and never otherwise.
CREATE FUNCTION memos_check_event() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.reason <> 'erased' OR NEW.details <> '{}'
     OR NOT EXISTS (SELECT FROM memcubes c WHERE c.id = OLD.cube_id AND c.lifecycle = 'erased') THEN
    RAISE EXCEPTION 'an event stays, until its cube is erased' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER events_check BEFORE UPDATE ON cube_events FOR EACH ROW EXECUTE FUNCTION memos_check_event();
GRANT UPDATE (reason, details) ON cube_events TO memos_app;

-- Nothing new comes of a cube that is held, or of a tombstone: whoever read it before the erasure and comes to write
-- afterwards is refused, as if a lock were not to be had. The lock is the one that the foreign key takes anyway; taken
-- here first, it waits for an erasure that is just taking hold. A conversation's own steps are refused by its row.
CREATE FUNCTION memos_check_source() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  source text := CASE TG_TABLE_NAME WHEN 'turn_reads' THEN to_jsonb(NEW) ->> 'version_id'
                                    ELSE to_jsonb(NEW) ->> 'parent_id' END;
BEGIN
  PERFORM FROM memcube_versions v WHERE v.id = source FOR KEY SHARE;
  IF EXISTS (SELECT FROM memcube_versions v JOIN memcubes c ON c.id = v.cube_id
             WHERE v.id = source AND (v.payload = 'erased' OR c.erasing_by IS NOT NULL))
     AND NOT EXISTS (SELECT FROM memcube_versions m WHERE m.id = to_jsonb(NEW) ->> 'child_id'
                     AND m.operation = 'migrate') THEN
    RAISE EXCEPTION 'version % is being erased', source USING ERRCODE = 'lock_not_available';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER edges_source BEFORE INSERT ON lineage_edges FOR EACH ROW
  WHEN (NEW.relation NOT IN ('advances', 'revises', 'supersedes')) EXECUTE FUNCTION memos_check_source();
CREATE TRIGGER reads_source BEFORE INSERT ON turn_reads FOR EACH ROW EXECUTE FUNCTION memos_check_source();

-- Names of users, where other tables than a conversation's and a cube's hold them.
GRANT UPDATE (grantee) ON cube_grants TO memos_app;
GRANT UPDATE (user_id) ON policies, consolidations, consolidation_proposals TO memos_app;
GRANT UPDATE (user_id, agent_id) ON api_keys TO memos_app;
ALTER TABLE cube_grants ALTER grantee SET STATISTICS 0;
ALTER TABLE policies ALTER user_id SET STATISTICS 0;
ALTER TABLE consolidations ALTER user_id SET STATISTICS 0;
ALTER TABLE consolidation_proposals ALTER user_id SET STATISTICS 0;
ALTER TABLE api_keys ALTER user_id SET STATISTICS 0, ALTER agent_id SET STATISTICS 0;

-- The planner's samples of a column are copies of what is in it. Of these it takes none.
ALTER TABLE conversations ALTER user_id SET STATISTICS 0, ALTER agent_id SET STATISTICS 0, ALTER title SET STATISTICS 0,
  ALTER metadata SET STATISTICS 0;
ALTER TABLE turns ALTER input SET STATISTICS 0, ALTER output SET STATISTICS 0, ALTER error SET STATISTICS 0,
  ALTER idempotency_key SET STATISTICS 0, ALTER timings_ms SET STATISTICS 0;
ALTER TABLE memcubes ALTER user_id SET STATISTICS 0, ALTER agent_id SET STATISTICS 0, ALTER tags SET STATISTICS 0,
  ALTER context SET STATISTICS 0, ALTER semantic_type SET STATISTICS 0;
ALTER TABLE memcube_versions ALTER content SET STATISTICS 0, ALTER written SET STATISTICS 0,
  ALTER metadata SET STATISTICS 0, ALTER payload_sha256 SET STATISTICS 0, ALTER nonce SET STATISTICS 0;
ALTER TABLE idempotency_keys ALTER key SET STATISTICS 0, ALTER body SET STATISTICS 0,
  ALTER request_sha256 SET STATISTICS 0;
ALTER TABLE cube_events ALTER reason SET STATISTICS 0, ALTER details SET STATISTICS 0;
ALTER TABLE outbox ALTER error SET STATISTICS 0;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['scopes', 'confirmations', 'erasures', 'erasure_items'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO memos_app USING (tenant_id = memos_tenant()) '
                   'WITH CHECK (tenant_id = memos_tenant())', t);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO memos_app', t);
  END LOOP;
END $$;
GRANT UPDATE (revision) ON scopes TO memos_app;
GRANT UPDATE (revision, confirmed_at), DELETE ON confirmations TO memos_app;
GRANT UPDATE (status, step, revision, receipt, held_at, logical_at, physical_at) ON erasures TO memos_app;
GRANT UPDATE (done_at) ON erasure_items TO memos_app;
GRANT SELECT, INSERT, DELETE, UPDATE (lease_expires_at) ON processes TO memos_app;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
