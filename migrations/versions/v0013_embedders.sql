-- Changing the embedding model: how far a scope's memories are embedded, and how far a job is.

GRANT CREATE ON SCHEMA public TO memos_owner;
SET LOCAL ROLE memos_owner;

-- Every memory of a scope whose stamp is not beyond this has its vector of the scope's `embedder`; 0: nobody has looked.
ALTER TABLE recall_scopes ADD COLUMN embedded_revision bigint NOT NULL DEFAULT 0 CHECK (embedded_revision >= 0);
GRANT UPDATE (embedded_revision) ON recall_scopes TO memos_app;
CREATE INDEX recall_scopes_by_embedder ON recall_scopes (tenant_id, embedder) WHERE erased_by IS NULL;

-- Of a job that tells it: numbers done and in all.
ALTER TABLE outbox ADD COLUMN progress jsonb;

RESET ROLE;
REVOKE CREATE ON SCHEMA public FROM memos_owner;
