-- Which turn a chat client means that resends its history with every request: keyed digests of what was said so far,
-- never the words.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

CREATE TABLE chat_turns (
  tenant_id text COLLATE "C" NOT NULL REFERENCES tenants (id),
  turn_id text COLLATE "C" PRIMARY KEY,
  conversation_id text COLLATE "C" NOT NULL,
  through bytea,                        -- of whose it is and all that was said, this turn's input included; NULL where
                                        -- the caller named the conversation
  request bytea,                        -- of the whole request that began the turn; NULL for history taken in
  lost_at timestamptz,                  -- its client went away before it had the answer
  created_at timestamptz NOT NULL DEFAULT now(),
  -- The row is written as the turn's conversation is chosen, just before the turn itself.
  FOREIGN KEY (tenant_id, turn_id) REFERENCES turns (tenant_id, id) DEFERRABLE INITIALLY DEFERRED,
  FOREIGN KEY (tenant_id, conversation_id) REFERENCES conversations (tenant_id, id),
  CHECK (octet_length(through) = 32 AND octet_length(request) = 32)
);
CREATE INDEX chat_turns_through ON chat_turns (tenant_id, through);
CREATE INDEX chat_turns_request ON chat_turns (tenant_id, request);
CREATE INDEX chat_turns_by_conversation ON chat_turns (conversation_id);

ALTER TABLE chat_turns ENABLE ROW LEVEL SECURITY;
ALTER TABLE chat_turns FORCE ROW LEVEL SECURITY;
CREATE POLICY tenant ON chat_turns TO memos_app USING (tenant_id = memos_tenant())
  WITH CHECK (tenant_id = memos_tenant());
CREATE POLICY actor ON chat_turns AS RESTRICTIVE TO memos_app
  USING (memos_actor() IS DISTINCT FROM 'person' OR memos_sees_conversation(conversation_id));
-- What was said can be guessed at by whoever has the secret: erasures take the rows away.
GRANT SELECT, INSERT, UPDATE (lost_at), DELETE ON chat_turns TO memos_app;
ALTER TABLE chat_turns ALTER through SET STATISTICS 0, ALTER request SET STATISTICS 0;
RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
