-- Indexes that answer `as_of`, diff and lineage over a million versions; and the order of time that `as_of` reads by.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

-- The version of a cube that was its newest at a moment: one look.
CREATE INDEX versions_by_time ON memcube_versions (cube_id, created_at);

-- What leads from one cube to another: few of all edges, so that what came of a cube of many versions is found quickly.
CREATE INDEX lineage_out ON lineage_edges (parent_id) WHERE relation NOT IN ('revises', 'advances');

-- A version is later than the one before it. The service takes the time under the cube's lock and from this database's
-- clock (memos/cubes/store.py); here it is held, so that no moment ever saw the versions of a cube out of order.
CREATE FUNCTION memos_check_version_time() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.parent_id IS NOT NULL
     AND EXISTS (SELECT FROM memcube_versions p WHERE p.id = NEW.parent_id AND p.created_at >= NEW.created_at) THEN
    RAISE EXCEPTION 'a version is later than its parent' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER versions_in_time BEFORE INSERT ON memcube_versions
  FOR EACH ROW EXECUTE FUNCTION memos_check_version_time();

-- A turn that was said in another conversation and taken over by a merge: the turn it was first said as, and the version
-- of the other's state that holds it.
ALTER TABLE turns
  ADD COLUMN said_as text COLLATE "C",
  ADD COLUMN merged_version_id text COLLATE "C",
  ADD FOREIGN KEY (tenant_id, said_as) REFERENCES turns (tenant_id, id),
  ADD FOREIGN KEY (tenant_id, merged_version_id) REFERENCES memcube_versions (tenant_id, id),
  ADD CHECK (num_nulls(said_as, merged_version_id) IN (0, 2));
CREATE INDEX turns_said_as ON turns (said_as) WHERE said_as IS NOT NULL;
ALTER TABLE turns DROP CONSTRAINT turns_origin_check;
ALTER TABLE turns ADD CONSTRAINT turns_origin_check CHECK (origin IN ('live', 'import', 'merge'));
ALTER TABLE turns ADD CHECK ((origin = 'merge') = (said_as IS NOT NULL));

RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
