-- Dense search in the database itself, by the extension pgvector, where one process cannot hold the vectors. Without the
-- extension there is nothing here, and nothing is missed until `recall_index` says pgvector. Safe to run again: whoever
-- installs the extension later migrates again.
--
-- `embeddings` stays the truth. These rows are made of it by whoever searches, scope by scope, up to the revision that
-- `dense_scopes` names (memos/recall/vectors/pgvector.py), and leave with it.

DO $$
DECLARE size integer; guarded text;
BEGIN
  IF to_regclass('public.dense_vectors') IS NOT NULL THEN
    RETURN;
  END IF;
  IF NOT EXISTS (SELECT FROM pg_available_extensions e WHERE e.name = 'vector') THEN
    RAISE NOTICE 'pgvector is not installed on this server: recall_index can only be memory';
    RETURN;
  END IF;
  BEGIN
    CREATE EXTENSION IF NOT EXISTS vector SCHEMA public;
  EXCEPTION WHEN insufficient_privilege THEN
    RAISE NOTICE 'whoever migrates may not create the extension vector: recall_index can only be memory';
    RETURN;
  END;
  GRANT CREATE ON SCHEMA public TO memos_owner;
  SET LOCAL ROLE memos_owner;

  CREATE TABLE dense_vectors (
    tenant_id text COLLATE "C" NOT NULL,
    version_id text COLLATE "C" NOT NULL,
    model text NOT NULL,
    scope_id text COLLATE "C" NOT NULL,
    dimensions integer NOT NULL,
    dense public.vector NOT NULL CHECK (public.vector_dims(dense) = dimensions),
    PRIMARY KEY (version_id, model),
    FOREIGN KEY (version_id, model) REFERENCES embeddings (version_id, model) ON DELETE CASCADE,
    FOREIGN KEY (tenant_id, scope_id) REFERENCES recall_scopes (tenant_id, id)
  );
  ALTER TABLE dense_vectors ALTER dense SET STATISTICS 0;
  CREATE INDEX dense_vectors_by_scope ON dense_vectors (scope_id, model);

  -- Up to where a scope's embeddings of a model are in `dense_vectors`.
  CREATE TABLE dense_scopes (
    tenant_id text COLLATE "C" NOT NULL,
    scope_id text COLLATE "C" NOT NULL,
    model text NOT NULL,
    revision bigint NOT NULL DEFAULT -1,
    version_id text COLLATE "C" NOT NULL DEFAULT '',
    PRIMARY KEY (scope_id, model),
    FOREIGN KEY (tenant_id, scope_id) REFERENCES recall_scopes (tenant_id, id)
  );

  -- A graph has to know the dimensions, and costs nothing where no vector has them; of others a scope is compared whole.
  FOR size IN SELECT unnest(ARRAY[384, 512, 768, 1024, 1536]) LOOP
    EXECUTE format('CREATE INDEX dense_vectors_%1$s ON dense_vectors USING hnsw '
                   '((dense::public.vector(%1$s)) public.vector_ip_ops) WITH (m = 16, ef_construction = 100) '
                   'WHERE dimensions = %1$s', size);
    EXECUTE format('ALTER INDEX dense_vectors_%s ALTER COLUMN 1 SET STATISTICS 0', size);
  END LOOP;

  FOREACH guarded IN ARRAY ARRAY['dense_vectors', 'dense_scopes'] LOOP
    EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', guarded);
    EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', guarded);
    EXECUTE format('CREATE POLICY tenant ON %I TO memos_app USING (tenant_id = memos_tenant()) '
                   'WITH CHECK (tenant_id = memos_tenant())', guarded);
    EXECUTE format('GRANT SELECT, INSERT ON %I TO memos_app', guarded);
  END LOOP;
  GRANT UPDATE (dense, dimensions) ON dense_vectors TO memos_app;
  GRANT UPDATE (revision, version_id) ON dense_scopes TO memos_app;
  CREATE POLICY actor ON dense_vectors AS RESTRICTIVE TO memos_app
    USING (memos_actor() IS NULL OR memos_sees_version(version_id));
  RESET ROLE;
  REVOKE CREATE ON SCHEMA public FROM memos_owner;
END $$;
