-- A payload that was dropped because replaying its turn was proven to give it again. The version that names it is not
-- touched: its hash says what must come back. What was made again for a reader is kept for a while.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

ALTER TABLE blobs
  ADD COLUMN thinned_at timestamptz,
  ADD COLUMN kept_until timestamptz;
CREATE INDEX blobs_thinned ON blobs (id) WHERE thinned_at IS NOT NULL;
GRANT UPDATE (thinned_at, kept_until) ON blobs TO memos_app;

ALTER TABLE policies
  DROP CONSTRAINT policies_action_check,
  ADD CONSTRAINT policies_action_check CHECK (action IN ('archive', 'expire', 'erase', 'report', 'thin'));
ALTER TABLE policy_decisions
  DROP CONSTRAINT policy_decisions_action_check,
  ADD CONSTRAINT policy_decisions_action_check CHECK (action IN ('archive', 'expire', 'erase', 'report', 'thin'));
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
