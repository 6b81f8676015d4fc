-- Which slots of the memory a step wrote and from which words: text of the user, so a column of its own, which goes with
-- the payload and the nonce when they are erased. NULL: the version wrote none, or is older than this, or is erased.

SET LOCAL ROLE memos_owner;
ALTER TABLE memcube_versions ADD COLUMN written jsonb CHECK (jsonb_typeof(written) = 'array');
RESET ROLE;
