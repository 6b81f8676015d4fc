-- Recall: who owns memories, what stamps a change of one, its embeddings, and what says the same.
--
-- Every plaintext cube belongs to one scope. Whatever changes the cube raises its scope's revision, once a transaction
-- and under the row's lock, and stamps the cube with it: an index of the scope that knows revision r lacks the rows with
-- a larger one, and nothing else. The stamp is a trigger's, so no writer can forget it: policies, consolidation,
-- erasures, imports and writers that are yet to come.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

-- A user, whatever the agent; an agent that acts for nobody; or, with neither, the tenant. A transaction is known by its
-- number and its time together, because numbers begin anew in a restored database.
CREATE TABLE recall_scopes (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY CHECK (id ~ '^scope_[0-9a-f]{32}$'),
  user_id text CHECK (length(user_id) BETWEEN 1 AND 200),
  agent_id text CHECK (length(agent_id) BETWEEN 1 AND 200),
  revision bigint NOT NULL DEFAULT 1 CHECK (revision >= 1),
  raised_by xid8 NOT NULL DEFAULT pg_current_xact_id(),
  raised_at timestamptz NOT NULL DEFAULT now(),
  embedder text,                        -- the model of the vectors that searches use; NULL: none yet
  next_embedder text,                   -- while its vectors are being made, beside those of the other
  erased_by text COLLATE "C",           -- its user was forgotten: the name is free again
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, erased_by) REFERENCES erasures (tenant_id, id),
  CHECK (num_nonnulls(user_id, agent_id) <= 1),
  CHECK (erased_by IS NULL OR user_id = 'erased')
);
CREATE UNIQUE INDEX one_scope_per_owner ON recall_scopes (tenant_id, user_id, agent_id) NULLS NOT DISTINCT
  WHERE erased_by IS NULL;
ALTER TABLE recall_scopes ALTER user_id SET STATISTICS 0, ALTER agent_id SET STATISTICS 0;

ALTER TABLE memcubes
  ADD COLUMN scope_id text COLLATE "C",
  ADD COLUMN recall_revision bigint,
  ADD COLUMN dedup_key bytea CHECK (length(dedup_key) = 16),  -- a keyed digest of what it says, for whom and how
  ADD COLUMN repeats integer NOT NULL DEFAULT 0 CHECK (repeats >= 0),
  ADD COLUMN turn_id text COLLATE "C",                        -- of an episode: the turn whose words it is
  ADD FOREIGN KEY (tenant_id, scope_id) REFERENCES recall_scopes (tenant_id, id),
  ADD FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id);
ALTER TABLE memcubes ALTER dedup_key SET STATISTICS 0;
CREATE INDEX memcubes_recalled ON memcubes (scope_id, recall_revision, id) WHERE scope_id IS NOT NULL;
CREATE UNIQUE INDEX one_fact_per_scope ON memcubes (scope_id, dedup_key)
  WHERE dedup_key IS NOT NULL AND lifecycle IN ('generated', 'activated');
CREATE INDEX memcubes_by_turn ON memcubes (turn_id) WHERE turn_id IS NOT NULL;
-- What an owner lets the whole tenant read: searches of others look it up.
CREATE INDEX memcubes_lent ON memcubes (tenant_id, id)
  WHERE kind = 'plaintext' AND visibility = 'tenant' AND lifecycle = 'activated'
    AND (user_id IS NOT NULL OR agent_id IS NOT NULL);

-- How a turn recalled (ours: codes and numbers), and of each memory that it read the parts of the score.
ALTER TABLE turns ADD COLUMN recall jsonb;
ALTER TABLE turn_reads ADD COLUMN signals jsonb;

-- Of one version by one model: float32, little-endian, of length one. Gone with its version.
CREATE TABLE embeddings (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  version_id text COLLATE "C" NOT NULL,
  model text NOT NULL CHECK (length(model) BETWEEN 1 AND 200),
  dimensions integer NOT NULL CHECK (dimensions BETWEEN 1 AND 16000),
  vector bytea NOT NULL CHECK (length(vector) = 4 * dimensions),
  scope_id text COLLATE "C" NOT NULL,
  revision bigint NOT NULL,
  PRIMARY KEY (version_id, model),
  FOREIGN KEY (tenant_id, version_id) REFERENCES memcube_versions (tenant_id, id),
  FOREIGN KEY (tenant_id, scope_id) REFERENCES recall_scopes (tenant_id, id)
);
ALTER TABLE embeddings ALTER vector SET STATISTICS 0, ALTER vector SET STORAGE EXTERNAL;
CREATE INDEX embeddings_by_scope ON embeddings (scope_id, revision);

-- Batches whose vectors are made after they were answered. Only ever added; how far one is stands in its embeddings.
CREATE TABLE memory_batches (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  cube_ids text[] COLLATE "C" NOT NULL,
  scope_ids text[] COLLATE "C" NOT NULL,
  duplicates integer NOT NULL,
  created_by text NOT NULL,
  created_at timestamptz NOT NULL DEFAULT now(),
  UNIQUE (tenant_id, id)
);

-- The revision of a scope in this transaction.
CREATE FUNCTION memos_raise_scope(scope text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE raised bigint;
BEGIN
  SELECT s.revision INTO raised FROM recall_scopes s
    WHERE s.id = scope AND s.raised_by = pg_current_xact_id() AND s.raised_at = now();
  IF raised IS NULL THEN
    UPDATE recall_scopes s SET revision = s.revision + 1, raised_by = pg_current_xact_id(), raised_at = now()
      WHERE s.id = scope RETURNING s.revision INTO raised;
  END IF;
  IF raised IS NULL THEN
    RAISE EXCEPTION 'scope % is not to be seen', scope USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN raised;
END $$;

-- An owner's scope, made if it is the first that the owner says, and its revision in this transaction.
CREATE FUNCTION memos_open_scope(tenant text, owning_user text, owning_agent text, OUT scope text, OUT raised bigint)
  LANGUAGE plpgsql AS $$
DECLARE fresh boolean;
BEGIN
  IF owning_user IS NOT NULL THEN
    SELECT s.id, s.revision, s.raised_by = pg_current_xact_id() AND s.raised_at = now() INTO scope, raised, fresh
      FROM recall_scopes s
      WHERE s.tenant_id = tenant AND s.user_id = owning_user AND s.agent_id IS NULL AND s.erased_by IS NULL;
  ELSIF owning_agent IS NOT NULL THEN
    SELECT s.id, s.revision, s.raised_by = pg_current_xact_id() AND s.raised_at = now() INTO scope, raised, fresh
      FROM recall_scopes s
      WHERE s.tenant_id = tenant AND s.user_id IS NULL AND s.agent_id = owning_agent AND s.erased_by IS NULL;
  ELSE
    SELECT s.id, s.revision, s.raised_by = pg_current_xact_id() AND s.raised_at = now() INTO scope, raised, fresh
      FROM recall_scopes s
      WHERE s.tenant_id = tenant AND s.user_id IS NULL AND s.agent_id IS NULL AND s.erased_by IS NULL;
  END IF;
  IF scope IS NULL THEN
    INSERT INTO recall_scopes AS s (tenant_id, id, user_id, agent_id)
      VALUES (tenant, 'scope_' || replace(CAST(gen_random_uuid() AS text), '-', ''), owning_user,
              CASE WHEN owning_user IS NULL THEN owning_agent END)
      ON CONFLICT (tenant_id, user_id, agent_id) WHERE erased_by IS NULL DO UPDATE
        SET revision = s.revision + 1, raised_by = pg_current_xact_id(), raised_at = now()
      RETURNING s.id, s.revision INTO scope, raised;
  ELSIF NOT fresh THEN
    raised := memos_raise_scope(scope);
  END IF;
END $$;

-- What counts a cube's reads does not come here: it changes nothing that a search goes by.
CREATE FUNCTION memos_stamp_cube() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR OLD.scope_id IS NULL THEN
    SELECT o.scope, o.raised INTO NEW.scope_id, NEW.recall_revision
      FROM memos_open_scope(NEW.tenant_id, NEW.user_id, NEW.agent_id) o;
    RETURN NEW;
  END IF;
  -- A cube stays in the scope it was made in, also when its owner's name is taken from it.
  NEW.scope_id := OLD.scope_id;
  NEW.recall_revision := memos_raise_scope(OLD.scope_id);
  -- Its key says what it said; whoever changes that says the new one along with it, or it has none.
  IF NEW.lifecycle = 'erased' OR (NEW.dedup_key IS NOT DISTINCT FROM OLD.dedup_key
       AND (NEW.head_version_id, NEW.visibility, NEW.sensitivity) IS DISTINCT FROM
           (OLD.head_version_id, OLD.visibility, OLD.sensitivity)) THEN
    NEW.dedup_key := NULL;
  END IF;
  -- The scope's lock is held: nobody adds the same meanwhile.
  IF NEW.dedup_key IS NOT NULL AND NEW.lifecycle IN ('generated', 'activated')
     AND (NEW.dedup_key IS DISTINCT FROM OLD.dedup_key OR OLD.lifecycle NOT IN ('generated', 'activated'))
     AND EXISTS (SELECT FROM memcubes c WHERE c.scope_id = NEW.scope_id AND c.dedup_key = NEW.dedup_key
                   AND c.lifecycle IN ('generated', 'activated') AND c.id <> NEW.id) THEN
    NEW.dedup_key := NULL;
  END IF;
  IF NEW.lifecycle <> OLD.lifecycle THEN
    PERFORM memos_stamp_superseded(NEW.id);
  END IF;
  RETURN NEW;
END $$;

-- Whether an older memory counts as replaced depends on whether the newer one lives.
CREATE FUNCTION memos_stamp_superseded(newer text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
  UPDATE memcubes c SET recall_revision = memos_raise_scope(c.scope_id)
  WHERE c.scope_id IS NOT NULL AND c.id <> newer AND c.id IN (
    SELECT o.cube_id FROM memcube_versions v JOIN lineage_edges e ON e.child_id = v.id AND e.relation = 'supersedes'
    JOIN memcube_versions o ON o.id = e.parent_id WHERE v.cube_id = newer);
END $$;
CREATE TRIGGER memcubes_recall_added BEFORE INSERT ON memcubes
  FOR EACH ROW WHEN (NEW.kind = 'plaintext') EXECUTE FUNCTION memos_stamp_cube();
CREATE TRIGGER memcubes_recall BEFORE UPDATE OF lifecycle, head_version_id, head_number, tags, expires_at, sensitivity,
    visibility, semantic_type, priority, user_id, agent_id, erasing_by, dedup_key, turn_id, scope_id ON memcubes
  FOR EACH ROW WHEN (OLD.kind = 'plaintext') EXECUTE FUNCTION memos_stamp_cube();

CREATE FUNCTION memos_stamp_edge() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE memcubes c SET recall_revision = memos_raise_scope(c.scope_id)
  FROM memcube_versions o WHERE o.id = NEW.parent_id AND c.id = o.cube_id AND c.scope_id IS NOT NULL;
  RETURN NEW;
END $$;
CREATE TRIGGER edges_supersede BEFORE INSERT ON lineage_edges
  FOR EACH ROW WHEN (NEW.relation = 'supersedes') EXECUTE FUNCTION memos_stamp_edge();

CREATE FUNCTION memos_stamp_embedding() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  NEW.revision := memos_raise_scope(NEW.scope_id);
  RETURN NEW;
END $$;
CREATE TRIGGER embeddings_recall BEFORE INSERT OR UPDATE ON embeddings
  FOR EACH ROW EXECUTE FUNCTION memos_stamp_embedding();

-- First versions of many cubes, each with its event and perhaps its vector, in one call: what `memos.cubes.changes.create`
-- does for one, at the price that a thousand together can pay. `cubes` and `versions` are rows by name; `vectors` lie end
-- to end. A version's hash is over the bytes before and after its time, which only this transaction knows. A cube whose
-- key a living one of its scope has is left out, with all that is its own, and is missing from the answer.
CREATE FUNCTION memos_remember(
    tenant text, author text, because text, cubes json, versions json, vectors bytea, made_by text, size integer)
  RETURNS TABLE (cube_id text, scope_id text, revision bigint, embedder text, next_embedder text, created_at timestamptz)
  LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
  made text[]; scopes text[]; revisions bigint[];
  moment timestamptz; stamp text;
BEGIN
  WITH added AS (
    INSERT INTO memcubes AS m (tenant_id, id, kind, user_id, agent_id, lifecycle, head_version_id, origin, semantic_type,
      visibility, sensitivity, priority, tags, expires_at, dedup_key, turn_id)
    SELECT tenant, w.id, 'plaintext', w.user_id, w.agent_id, 'activated', w.version, w.origin, w.semantic_type,
      w.visibility, w.sensitivity, w.priority, w.tags, w.expires_at, decode(w.key, 'hex'), w.turn_id
    FROM json_to_recordset(cubes) AS w (id text, version text, user_id text, agent_id text, origin text,
      semantic_type text, visibility text, sensitivity text, priority smallint, tags text[], expires_at timestamptz,
      key text, turn_id text)
    ON CONFLICT (scope_id, dedup_key) WHERE dedup_key IS NOT NULL AND lifecycle IN ('generated', 'activated') DO NOTHING
    RETURNING m.id, m.scope_id, m.recall_revision)
  SELECT array_agg(a.id), array_agg(a.scope_id), array_agg(a.recall_revision) INTO made, scopes, revisions FROM added a;
  IF made IS NULL THEN
    RETURN;
  END IF;
  -- Read once this transaction is known to be one that writes, and holds the scopes (see `memos.timemachine`).
  moment := clock_timestamp();
  stamp := to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"+00:00"');
  INSERT INTO memcube_versions (tenant_id, id, cube_id, number, operation, hash, commitment, nonce, payload, content,
    payload_sha256, size_bytes, metadata, valid_from, valid_to, created_at, created_by)
  SELECT tenant, w.id, w.cube, 0, w.operation, encode(sha256(convert_to(w.before || stamp || w.after, 'UTF8')), 'hex'),
    w.commitment, decode(w.nonce, 'hex'), 'text', w.content, w.sha256, w.size, w.metadata, w.valid_from, w.valid_to,
    moment, author
  FROM json_to_recordset(versions) AS w (id text, cube text, operation text, before text, after text, commitment text,
    nonce text, content text, sha256 text, size bigint, metadata jsonb, valid_from timestamptz, valid_to timestamptz)
  WHERE w.cube = ANY (made);
  INSERT INTO cube_events (tenant_id, id, cube_id, event, to_lifecycle, reason, details, created_at, created_by)
  SELECT tenant, w.event, w.id, 'create', 'activated', because, jsonb_build_object('to', jsonb_build_object(
      'expires_at', w.expires_at, 'priority', w.priority, 'semantic_type', w.semantic_type,
      'sensitivity', w.sensitivity, 'tags', w.tags, 'visibility', w.visibility)), moment, author
  FROM json_to_recordset(cubes) AS w (id text, event text, expires_at text, priority smallint, semantic_type text,
    sensitivity text, tags json, visibility text)
  WHERE w.id = ANY (made);
  IF size > 0 THEN
    INSERT INTO embeddings (tenant_id, version_id, model, dimensions, vector, scope_id, revision)
    SELECT tenant, w.id, made_by, size, substring(vectors FROM w.place * 4 * size + 1 FOR 4 * size), m.scope, 0
    FROM json_to_recordset(versions) AS w (id text, cube text, place integer)
    JOIN unnest(made, scopes) AS m (cube, scope) ON m.cube = w.cube
    WHERE w.place IS NOT NULL;
  END IF;
  RETURN QUERY SELECT m.cube, m.scope, m.revision, s.embedder, s.next_embedder, moment
    FROM unnest(made, scopes, revisions) AS m (cube, scope, revision)
    CROSS JOIN LATERAL (
      SELECT r.embedder, r.next_embedder FROM recall_scopes r WHERE r.id = m.scope LIMIT 1) s;
END $$;

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['recall_scopes', 'embeddings', 'memory_batches'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO memos_app USING (tenant_id = memos_tenant()) '
                   'WITH CHECK (tenant_id = memos_tenant())', t);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO memos_app', t);
  END LOOP;
END $$;
GRANT UPDATE (revision, raised_by, raised_at, embedder, next_embedder, user_id, erased_by) ON recall_scopes TO memos_app;
GRANT UPDATE (vector, dimensions, revision), DELETE ON embeddings TO memos_app;

-- A person sees their own scope, the tenant's, and one of which a memory is granted to them: changing that memory raises
-- it. Of what is in a scope the policies of cubes decide.
CREATE FUNCTION memos_granted_scope(scope text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN EXISTS (
    SELECT FROM cube_grants g JOIN memcubes c ON c.id = g.cube_id
    WHERE g.tenant_id = memos_tenant() AND g.revoked_at IS NULL AND c.scope_id = scope
      AND ((g.grantee_kind = 'user' AND g.grantee = current_setting('memos.user', true))
        OR (g.grantee_kind = 'agent' AND g.grantee = current_setting('memos.agent', true))
        OR (g.grantee_kind = 'role'
            AND g.grantee = ANY (string_to_array(current_setting('memos.roles', true), ',')))));
CREATE POLICY actor ON recall_scopes AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS DISTINCT FROM 'person' OR memos_owns(user_id, agent_id)
    OR num_nonnulls(user_id, agent_id) = 0 OR memos_granted_scope(id));
CREATE POLICY actor ON embeddings AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS NULL OR memos_sees_version(version_id));
CREATE POLICY actor ON memory_batches AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS DISTINCT FROM 'person' OR NOT EXISTS (
    SELECT FROM unnest(scope_ids) AS of (scope) WHERE NOT EXISTS (
      SELECT FROM recall_scopes s WHERE s.id = of.scope AND memos_owns(s.user_id, s.agent_id))));
RESET ROLE;

-- Memories that were there before, by the trigger: past row-level security, as whoever migrates.
UPDATE memcubes SET scope_id = NULL WHERE kind = 'plaintext';
REVOKE CREATE ON SCHEMA public FROM memos_owner;
