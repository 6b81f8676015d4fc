-- Who may see and change what within a tenant, and the append-only, hash-chained audit log.
--
-- Beside the tenant a transaction may bind an actor: `memos.actor` is 'application' (a key that acts for the tenant's
-- application: all but secret cubes) or 'person' (a user, an agent, or a user through an agent: their own, and what is
-- granted, shared or tenant-wide). Unbound are the service's own work and admins. Restrictive policies can only narrow
-- what the tenant's policy lets through, so not even our own queries pass them.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

-- A key may be limited to one user or agent, and may carry roles.
ALTER TABLE api_keys
  ADD COLUMN user_id text CHECK (length(user_id) BETWEEN 1 AND 200),
  ADD COLUMN agent_id text CHECK (length(agent_id) BETWEEN 1 AND 200),
  ADD COLUMN roles text[] NOT NULL DEFAULT '{}' CHECK (cardinality(roles) <= 20);

-- A grant is never deleted: it is revoked, and both are in cube_events, which name it by its id alone.
CREATE TABLE cube_grants (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  cube_id text COLLATE "C" NOT NULL,
  grantee_kind text NOT NULL CHECK (grantee_kind IN ('user', 'agent', 'role')),
  grantee text NOT NULL CHECK (length(grantee) BETWEEN 1 AND 200),
  permission text NOT NULL CHECK (permission IN ('read', 'write')),  -- write holds read
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_by text NOT NULL,
  revoked_at timestamptz,
  revoked_by text,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, cube_id) REFERENCES memcubes (tenant_id, id),
  CHECK (num_nulls(revoked_at, revoked_by) IN (0, 2))
);
CREATE UNIQUE INDEX one_grant_each ON cube_grants (cube_id, grantee_kind, grantee) WHERE revoked_at IS NULL;
CREATE INDEX cube_grants_by_grantee ON cube_grants (tenant_id, grantee_kind, grantee);

CREATE FUNCTION memos_actor() RETURNS text LANGUAGE sql STABLE PARALLEL SAFE
  RETURN nullif(current_setting('memos.actor', true), '');

-- What belongs to a user belongs to that user, in person or through the agent it was made with; what belongs to an
-- agent alone, to that agent when it acts for no user; what belongs to nobody, to no person.
CREATE FUNCTION memos_owns(user_id text, agent_id text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN CASE WHEN user_id IS NOT NULL
    THEN user_id = current_setting('memos.user', true)
      AND (agent_id IS NULL OR current_setting('memos.agent', true) IN ('', agent_id))
    ELSE coalesce(agent_id = current_setting('memos.agent', true) AND current_setting('memos.user', true) = '', false)
    END;

CREATE FUNCTION memos_granted(cube text, wanted text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN EXISTS (
    SELECT FROM cube_grants g
    WHERE g.cube_id = cube AND g.revoked_at IS NULL AND (wanted = 'read' OR g.permission = 'write')
      AND CASE g.grantee_kind
            WHEN 'user' THEN g.grantee = current_setting('memos.user', true)
            WHEN 'agent' THEN g.grantee = current_setting('memos.agent', true)
            ELSE g.grantee = ANY (string_to_array(current_setting('memos.roles', true), ',')) END);

-- The rule of `memos.access.rules`: an owner's cube is the owner's, a shared one also of those it is granted to, a
-- tenant-wide one is read by all; a secret one is its owner's and an admin's alone, whatever was granted.
CREATE FUNCTION memos_reads(cube text, user_id text, agent_id text, visibility text, sensitivity text)
  RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN CASE WHEN memos_actor() = 'application' THEN sensitivity <> 'secret'
    ELSE memos_owns(user_id, agent_id) OR (sensitivity <> 'secret' AND
      (visibility = 'tenant' OR (visibility = 'shared' AND memos_granted(cube, 'read')))) END;
CREATE FUNCTION memos_writes(cube text, user_id text, agent_id text, visibility text, sensitivity text)
  RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN CASE WHEN memos_actor() = 'application' THEN sensitivity <> 'secret'
    ELSE memos_owns(user_id, agent_id)
      OR (sensitivity <> 'secret' AND visibility <> 'owner' AND memos_granted(cube, 'write')) END;

-- Through the policies of the table they look into.
CREATE FUNCTION memos_sees_cube(cube text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN EXISTS (SELECT FROM memcubes c WHERE c.id = cube);
CREATE FUNCTION memos_changes_cube(cube text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN EXISTS (SELECT FROM memcubes c WHERE c.id = cube
    AND memos_writes(c.id, c.user_id, c.agent_id, c.visibility, c.sensitivity));
CREATE FUNCTION memos_owns_cube(cube text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN EXISTS (SELECT FROM memcubes c WHERE c.id = cube AND memos_owns(c.user_id, c.agent_id));
CREATE FUNCTION memos_sees_version(version text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN EXISTS (SELECT FROM memcube_versions v WHERE v.id = version);
CREATE FUNCTION memos_sees_conversation(conversation text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN EXISTS (SELECT FROM conversations c WHERE c.id = conversation);
CREATE FUNCTION memos_sees_turn(turn text) RETURNS boolean LANGUAGE sql STABLE PARALLEL SAFE
  RETURN EXISTS (SELECT FROM turns t WHERE t.id = turn);

-- The cubes that a person may see, found by index: for lists, in which few are theirs among many. What it names is still
-- for the policies to let through.
CREATE INDEX memcubes_tenant_wide ON memcubes (tenant_id, id) WHERE visibility = 'tenant';
CREATE FUNCTION memos_in_sight() RETURNS SETOF text LANGUAGE sql STABLE PARALLEL SAFE ROWS 100
BEGIN ATOMIC
  SELECT c.id FROM memcubes c WHERE c.tenant_id = memos_tenant() AND c.user_id = current_setting('memos.user', true)
  UNION SELECT c.id FROM memcubes c
    WHERE c.tenant_id = memos_tenant() AND c.user_id IS NULL AND c.agent_id = current_setting('memos.agent', true)
  UNION SELECT c.id FROM memcubes c WHERE c.tenant_id = memos_tenant() AND c.visibility = 'tenant'
  UNION SELECT g.cube_id FROM cube_grants g
    WHERE g.tenant_id = memos_tenant() AND g.revoked_at IS NULL
      AND ((g.grantee_kind = 'user' AND g.grantee = current_setting('memos.user', true))
        OR (g.grantee_kind = 'agent' AND g.grantee = current_setting('memos.agent', true))
        OR (g.grantee_kind = 'role'
            AND g.grantee = ANY (string_to_array(current_setting('memos.roles', true), ','))));
END;

CREATE POLICY actor ON conversations AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS DISTINCT FROM 'person' OR memos_owns(user_id, agent_id));
CREATE POLICY actor ON turns AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS DISTINCT FROM 'person' OR memos_sees_conversation(conversation_id));
CREATE POLICY actor ON memcubes AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS NULL OR memos_reads(id, user_id, agent_id, visibility, sensitivity));
-- What all of a tenant read is the application's to say, and not one user's.
CREATE POLICY actor_adds ON memcubes AS RESTRICTIVE FOR INSERT TO memos_app
  WITH CHECK (memos_actor() IS DISTINCT FROM 'person' OR (memos_owns(user_id, agent_id) AND visibility <> 'tenant'));
CREATE POLICY actor ON memcube_versions AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS NULL OR memos_sees_cube(cube_id));
CREATE POLICY actor_adds ON memcube_versions AS RESTRICTIVE FOR INSERT TO memos_app
  WITH CHECK (memos_actor() IS DISTINCT FROM 'person' OR memos_changes_cube(cube_id));
CREATE POLICY actor ON cube_events AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS NULL OR memos_sees_cube(cube_id));
CREATE POLICY actor ON lineage_edges AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS DISTINCT FROM 'person' OR (memos_sees_version(child_id) AND memos_sees_version(parent_id)));
CREATE POLICY actor ON turn_reads AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS DISTINCT FROM 'person' OR memos_sees_turn(turn_id));

-- Reading counts the reading, which changes the row; everything else that changes it needs leave to write. An error and
-- not a policy: a policy would pass over the row in silence.
CREATE FUNCTION memos_check_actor() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NOT memos_writes(OLD.id, OLD.user_id, OLD.agent_id, OLD.visibility, OLD.sensitivity) THEN
    RAISE EXCEPTION 'the actor may read this cube and not change it' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF (OLD.user_id, OLD.agent_id, OLD.visibility, OLD.sensitivity) IS DISTINCT FROM
     (NEW.user_id, NEW.agent_id, NEW.visibility, NEW.sensitivity) AND NOT memos_owns(OLD.user_id, OLD.agent_id) THEN
    RAISE EXCEPTION 'only its owner says who may see this cube' USING ERRCODE = 'insufficient_privilege';
  END IF;
  IF NEW.visibility = 'tenant' AND OLD.visibility <> 'tenant' THEN
    RAISE EXCEPTION 'only the application makes a cube tenant-wide' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER memcubes_actor BEFORE UPDATE OF user_id, agent_id, lifecycle, frozen, priority, expires_at, tags,
    sensitivity, visibility, semantic_type, context, model, head_version_id, head_number ON memcubes
  FOR EACH ROW WHEN (memos_actor() = 'person') EXECUTE FUNCTION memos_check_actor();

-- What was done and by whom. No words and no names: `by` is a key's id or a task, users and agents are keyed digests.
CREATE TABLE audit_log (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  at timestamptz NOT NULL DEFAULT clock_timestamp(),
  kind text NOT NULL CHECK (kind IN ('read', 'change')),
  action text NOT NULL CHECK (length(action) BETWEEN 1 AND 100),
  by text NOT NULL,
  actors text[] NOT NULL DEFAULT '{}',    -- on whose behalf: digests of a user and an agent
  subjects text[] NOT NULL DEFAULT '{}',  -- ids of what was read or changed, digests of users
  details jsonb NOT NULL DEFAULT '{}',
  UNIQUE (tenant_id, id)
);
CREATE INDEX audit_log_by_time ON audit_log (tenant_id, at);

-- The chain stands beside the log, so that nobody waits for its end to write a row. A link names its row, its place and
-- the hash before it; no link has two successors.
CREATE TABLE audit_chain (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  seq bigint NOT NULL CHECK (seq >= 1),
  audit_id text COLLATE "C" NOT NULL UNIQUE,
  previous text NOT NULL CHECK (previous ~ '^[0-9a-f]{64}$'),
  hash text NOT NULL CHECK (hash ~ '^[0-9a-f]{64}$'),
  PRIMARY KEY (tenant_id, seq),
  UNIQUE (tenant_id, previous),
  FOREIGN KEY (tenant_id, audit_id) REFERENCES audit_log (tenant_id, id)
);

DO $$
DECLARE t text;
BEGIN
  FOREACH t IN ARRAY ARRAY['cube_grants', 'audit_log', 'audit_chain'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', t);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', t);
    EXECUTE format('CREATE POLICY tenant ON %I TO memos_app USING (tenant_id = memos_tenant()) '
                   'WITH CHECK (tenant_id = memos_tenant())', t);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO memos_app', t);
  END LOOP;
END $$;
-- The policies of memcubes read cube_grants: those of cube_grants may look at cubes for writing only.
CREATE POLICY actor_adds ON cube_grants AS RESTRICTIVE FOR INSERT TO memos_app
  WITH CHECK (memos_actor() IS DISTINCT FROM 'person' OR memos_owns_cube(cube_id));
CREATE POLICY actor_changes ON cube_grants AS RESTRICTIVE FOR UPDATE TO memos_app
  USING (memos_actor() IS DISTINCT FROM 'person' OR memos_owns_cube(cube_id));
GRANT UPDATE (revoked_at, revoked_by) ON cube_grants TO memos_app;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
