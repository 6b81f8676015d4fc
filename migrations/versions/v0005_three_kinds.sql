-- Cubes of all three kinds. What a cube is for and who may see it stands on its row; how it came to its present state
-- stands in cube_events, which are only ever added: `as_of` reads those and never a column that changes.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

ALTER TABLE memcubes
  ADD COLUMN semantic_type text CHECK (length(semantic_type) BETWEEN 1 AND 100),  -- fact, episode, preference, ...
  ADD COLUMN origin text NOT NULL DEFAULT 'user'                                    -- whose words or work it is
    CHECK (origin IN ('user', 'assistant', 'admin', 'import', 'conversion', 'consolidation')),
  ADD COLUMN visibility text NOT NULL DEFAULT 'owner' CHECK (visibility IN ('owner', 'shared', 'tenant')),
  ADD COLUMN context jsonb NOT NULL DEFAULT '{}',                                   -- contextual fingerprint of its use
  ADD COLUMN model text;                                                            -- fingerprint, where one is needed
ALTER TABLE memcubes ADD CHECK (sensitivity IN ('normal', 'sensitive', 'secret'));
ALTER TABLE memcubes ADD CHECK (cardinality(tags) <= 50);
CREATE INDEX memcubes_expiring ON memcubes (tenant_id, expires_at)
  WHERE expires_at IS NOT NULL AND lifecycle IN ('generated', 'activated', 'archived');
CREATE INDEX memcubes_by_kind ON memcubes (tenant_id, kind, lifecycle, id);

ALTER TABLE memcube_versions DROP CONSTRAINT memcube_versions_operation_check;
ALTER TABLE memcube_versions ADD CONSTRAINT memcube_versions_operation_check CHECK (operation IN
  ('create', 'revise', 'advance', 'merge', 'split', 'convert', 'distil', 'rollback', 'fork', 'import', 'migrate'));
ALTER TABLE memcube_versions ADD CHECK (valid_to IS NULL OR valid_from IS NULL OR valid_to >= valid_from);
ALTER TABLE lineage_edges DROP CONSTRAINT lineage_edges_relation_check;
ALTER TABLE lineage_edges ADD CONSTRAINT lineage_edges_relation_check CHECK (relation IN
  ('revises', 'advances', 'merges', 'splits', 'converts', 'distils', 'recalls', 'imports', 'restores', 'forks',
   'supersedes'));

-- Append-only. Ids and words of ours only, never what a user said.
CREATE TABLE cube_events (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  id text COLLATE "C" PRIMARY KEY,
  cube_id text COLLATE "C" NOT NULL,
  event text NOT NULL CHECK (event IN ('create', 'transition', 'freeze', 'unfreeze', 'change', 'grant', 'revoke')),
  from_lifecycle text,
  to_lifecycle text,
  reason text NOT NULL,
  details jsonb NOT NULL DEFAULT '{}',
  created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
  created_by text NOT NULL,
  UNIQUE (tenant_id, id),
  FOREIGN KEY (tenant_id, cube_id) REFERENCES memcubes (tenant_id, id),
  CHECK (event <> 'transition' OR num_nulls(from_lifecycle, to_lifecycle) = 0)
);
CREATE INDEX cube_events_by_cube ON cube_events (cube_id, created_at, id);

-- The steps of `memos.kernel.lifecycle`, and what frozen means.
CREATE FUNCTION memos_check_cube() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF (OLD.tenant_id, OLD.kind, OLD.conversation_id, OLD.created_at) IS DISTINCT FROM
     (NEW.tenant_id, NEW.kind, NEW.conversation_id, NEW.created_at) THEN
    RAISE EXCEPTION 'a cube stays what it is' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.lifecycle <> NEW.lifecycle AND NOT (OLD.lifecycle || '>' || NEW.lifecycle = ANY (ARRAY[
    'generated>activated', 'generated>archived', 'generated>expired', 'generated>erased',
    'activated>archived', 'activated>merged', 'activated>expired', 'activated>erased',
    'archived>activated', 'archived>expired', 'archived>erased',
    'merged>archived', 'merged>erased',
    'expired>activated', 'expired>archived', 'expired>erased'])) THEN
    RAISE EXCEPTION 'a cube cannot go from % to %', OLD.lifecycle, NEW.lifecycle
      USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  IF OLD.frozen AND NEW.frozen AND NEW.lifecycle <> 'erased'
     AND ((OLD.lifecycle, OLD.head_version_id, OLD.expires_at, OLD.priority, OLD.tags, OLD.sensitivity, OLD.visibility,
           OLD.semantic_type, OLD.user_id, OLD.agent_id) IS DISTINCT FROM
          (NEW.lifecycle, NEW.head_version_id, NEW.expires_at, NEW.priority, NEW.tags, NEW.sensitivity, NEW.visibility,
           NEW.semantic_type, NEW.user_id, NEW.agent_id)) THEN
    RAISE EXCEPTION 'a frozen cube does not change' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER memcubes_check BEFORE UPDATE ON memcubes FOR EACH ROW EXECUTE FUNCTION memos_check_cube();

ALTER TABLE cube_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE cube_events FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON cube_events TO memos_app USING (tenant_id = memos_tenant())
  WITH CHECK (tenant_id = memos_tenant());
GRANT SELECT, INSERT ON cube_events TO memos_app;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
