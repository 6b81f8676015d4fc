-- Nothing automatic destroys memory (P4): a turn's input never changes, and its output is written once. Only a turn that
-- becomes erased may lose its words.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;
CREATE FUNCTION memos_check_said() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF NEW.status <> 'erased' AND (NEW.input <> OLD.input
     OR (OLD.output IS NOT NULL AND NEW.output IS DISTINCT FROM OLD.output)) THEN
    RAISE EXCEPTION 'what was said in a turn stays' USING ERRCODE = 'integrity_constraint_violation';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER turns_said BEFORE UPDATE OF input, output ON turns FOR EACH ROW EXECUTE FUNCTION memos_check_said();
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
