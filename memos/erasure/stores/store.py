"""SQL of what an erasure reaches in tables of others. Rows lose their words here and nowhere else, and the triggers of
the migration let them, while the erasure that is named is running.
"""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import RowMapping, TextClause, text

from memos.kit.unit_of_work import UnitOfWork

Ids = Sequence[str]
# What holds content of the version it came from. A new epoch's first version came `converts` from a line, and holds
# nothing of it.
_CARRIES = """e.relation IN
    ('advances', 'restores', 'forks', 'merges', 'splits', 'converts', 'distils', 'recalls', 'imports')
    AND NOT (e.relation = 'converts' AND c.operation = 'migrate')"""
_CAME_OF = text(f"""
    WITH RECURSIVE down (id, relation, parent_id) AS (
      SELECT s.id COLLATE "C", CAST(NULL AS text), CAST(NULL AS text) COLLATE "C"
      FROM unnest(CAST(:ids AS text[])) AS s (id)
      UNION
      SELECT c.id, e.relation, e.parent_id FROM down d JOIN lineage_edges e ON e.parent_id = d.id
      JOIN memcube_versions c ON c.id = e.child_id WHERE c.payload <> 'text' AND {_CARRIES}
    )
    SELECT DISTINCT ON (id) id, relation, parent_id FROM down WHERE relation IS NOT NULL""")
_TEXTS_OF = text(f"""
    SELECT DISTINCT ON (c.id) c.id, c.content, e.relation, e.parent_id
    FROM lineage_edges e JOIN memcube_versions c ON c.id = e.child_id
    WHERE e.parent_id = ANY(:ids) AND c.payload = 'text' AND (e.relation = 'revises' OR ({_CARRIES}))""")
_TELLING = text("""
    SELECT id FROM memcube_versions WHERE id = ANY(:ids) AND (conversation_id IS NULL OR turn_id = ANY(:turns))""")
_TOOK_IN = text("SELECT id, turn_id FROM memcube_versions WHERE turn_id = ANY(:ids)")
_VERSIONS_OF = text("SELECT id FROM memcube_versions WHERE cube_id = ANY(:ids)")
_BURY_VERSIONS = text("""
    UPDATE memcube_versions SET payload = 'erased', erased_by = :erasure_id, nonce = NULL, blob_id = NULL,
      content = NULL, payload_sha256 = NULL, size_bytes = 0, metadata = '{}', written = NULL
    WHERE id = ANY(:ids) AND payload <> 'erased'""")
_UNBURIED = text("""
    SELECT id FROM memcube_versions WHERE id = ANY(:ids) AND (payload <> 'erased' OR metadata <> '{}'
      OR num_nonnulls(nonce, blob_id, content, payload_sha256, written) > 0)""")

_TURNS_OF = text("SELECT id FROM turns WHERE conversation_id = ANY(:ids)")
_COPIES_OF = text("SELECT id, said_as FROM turns WHERE said_as = ANY(:ids)")
_LATER = text("""
    SELECT t.id, t.conversation_id, t.seq, t.output FROM turns t
    WHERE t.output <> '' AND t.id NOT IN (SELECT unnest(CAST(:erased AS text[]))) AND (
      t.id IN (SELECT v.turn_id FROM memcube_versions v WHERE v.id = ANY(:versions) AND v.turn_id IS NOT NULL)
      OR t.base_version_id = ANY(:versions)
      OR t.id IN (SELECT r.turn_id FROM turn_reads r WHERE r.version_id = ANY(:versions))
      OR (t.status = 'answered'
        AND t.conversation_id IN (SELECT e.conversation_id FROM turns e WHERE e.id = ANY(:erased))))
    ORDER BY t.conversation_id, t.seq""")
_SAID = text("""
    SELECT t.conversation_id, t.seq, t.input FROM turns t
    WHERE t.conversation_id = ANY(:ids) AND t.id NOT IN (SELECT unnest(CAST(:erased AS text[])))
    ORDER BY t.conversation_id, t.seq""")
# An answer's episode is an answer still, and not something that was told.
_IS_ANSWER = "c.turn_id IS NOT NULL AND c.origin = 'assistant'"
_TOLD = text(f"""
    SELECT t.input AS words FROM turns t WHERE t.id = ANY(:turns)
    UNION ALL SELECT v.content FROM memcube_versions v JOIN memcubes c ON c.id = v.cube_id
    WHERE v.id = ANY(:versions) AND v.content IS NOT NULL AND NOT ({_IS_ANSWER})""")
_ANSWERED = text(f"""
    SELECT t.output AS words FROM turns t WHERE t.id = ANY(:turns) AND t.output <> ''
    UNION ALL SELECT v.content FROM memcube_versions v JOIN memcubes c ON c.id = v.cube_id
    WHERE v.id = ANY(:versions) AND v.content IS NOT NULL AND {_IS_ANSWER}""")
_EPISODES_OF = text(f"""
    SELECT c.id, c.turn_id FROM memcubes c
    WHERE c.turn_id = ANY(:turns) AND c.lifecycle <> 'erased' AND (NOT :answers_only OR {_IS_ANSWER})""")
# An accepted one was failed when its conversation was taken hold of.
_ERASE_TURNS = text("""
    UPDATE turns SET status = 'erased', erased_by = :erasure_id, input = '', output = NULL, error = NULL,
      idempotency_key = NULL, timings_ms = '{}', prompt_tokens = NULL, completion_tokens = NULL
    WHERE id = ANY(:ids) AND status <> 'erased'""")
_REDACT_TURNS = text("""
    UPDATE turns SET output = '', erased_by = :erasure_id, completion_tokens = NULL
    WHERE id = ANY(:ids) AND status <> 'erased' AND output <> ''""")
_SPEAKING = text("""
    SELECT id FROM turns WHERE (id = ANY(:whole) AND (status <> 'erased' OR input <> '' OR output IS NOT NULL))
      OR (id = ANY(:answers) AND output <> '')""")

_COPIED_TITLES = text("""
    SELECT f.id, f.parent_id FROM conversations f JOIN conversations c ON c.id = f.parent_id
    WHERE c.id = ANY(:ids) AND f.title = c.title""")
_CONVERSATIONS_OF = text("""
    SELECT t.conversation_id AS id FROM turns t JOIN conversations c ON c.id = t.conversation_id
    WHERE t.id = ANY(:turns) AND c.erased_by IS NULL
    UNION
    SELECT v.conversation_id FROM memcube_versions v JOIN conversations c ON c.id = v.conversation_id
    WHERE v.id = ANY(:versions) AND c.erased_by IS NULL""")
_CLEAR_CONVERSATIONS = text("""
    UPDATE conversations SET user_id = 'erased', agent_id = NULL, title = NULL, metadata = '{}', erased_by = :erasure_id
    WHERE id = ANY(:ids) AND erased_by IS NULL""")
_CLEAR_TITLES = text("UPDATE conversations SET title = NULL WHERE id = ANY(:ids)")
_NAMED = text("SELECT id FROM conversations WHERE id = ANY(:ids) AND erased_by IS NULL")

_STATES_OF = text("SELECT id FROM memcubes WHERE conversation_id = ANY(:ids) AND lifecycle <> 'erased'")
_LOSING_HEADS = text("""
    SELECT c.id, (SELECT v.id FROM memcube_versions v
                  WHERE v.cube_id = c.id AND v.payload <> 'erased' AND v.id NOT IN (SELECT unnest(CAST(:ids AS text[])))
                  ORDER BY v.number DESC LIMIT 1) AS whole
    FROM memcubes c WHERE c.head_version_id = ANY(:ids) AND c.conversation_id IS NULL AND c.lifecycle <> 'erased'""")
_LIVING_CUBES = text("SELECT id, lifecycle FROM memcubes WHERE id = ANY(:ids) AND lifecycle <> 'erased' FOR UPDATE")
_BURY_CUBES = text("""
    UPDATE memcubes SET lifecycle = 'erased', user_id = NULL, agent_id = NULL, tags = '{}', context = '{}',
      semantic_type = NULL WHERE id = ANY(:ids)""")
_UNBURIED_CUBES = text("""
    SELECT id FROM memcubes WHERE id = ANY(:ids) AND (lifecycle <> 'erased' OR tags <> '{}' OR context <> '{}'
      OR num_nonnulls(user_id, agent_id, semantic_type, dedup_key) > 0)""")
_EMBEDDINGS_OF = text("SELECT DISTINCT version_id AS id FROM embeddings WHERE version_id = ANY(:ids)")
_DROP_EMBEDDINGS = text("DELETE FROM embeddings WHERE version_id = ANY(:ids)")
_CLEAR_EVENTS = text("""
    UPDATE cube_events SET reason = 'erased', details = '{}'
    WHERE cube_id = ANY(:ids) AND (reason <> 'erased' OR details <> '{}')""")
_TELLING_EVENTS = text("""
    SELECT DISTINCT cube_id AS id FROM cube_events
    WHERE cube_id = ANY(:ids) AND (reason <> 'erased' OR details <> '{}')""")
_GRANTS_OF = text("SELECT id FROM cube_grants WHERE cube_id = ANY(:ids) AND grantee <> 'erased'")
_CLEAR_GRANTS = text("""
    UPDATE cube_grants SET grantee = 'erased', revoked_at = coalesce(revoked_at, now()),
      revoked_by = coalesce(revoked_by, :erasure_id) WHERE id = ANY(:ids)""")
_NAMING_GRANTS = text("SELECT id FROM cube_grants WHERE id = ANY(:ids) AND grantee <> 'erased'")

_BLOBS_OF = text("""
    SELECT DISTINCT v.blob_id AS id FROM memcube_versions v
    WHERE v.id = ANY(:ids) AND v.blob_id IS NOT NULL AND NOT EXISTS (
      SELECT FROM memcube_versions o
      WHERE o.blob_id = v.blob_id AND o.id NOT IN (SELECT unnest(CAST(:ids AS text[]))))""")
_ORPHANS = text("""
    SELECT b.id FROM blobs b
    WHERE (b.conversation_id = ANY(:conversations) OR (b.conversation_id IS NULL AND b.created_at < :before))
      AND NOT EXISTS (SELECT FROM memcube_versions v WHERE v.blob_id = b.id)""")
_DROP_BLOBS = text("""
    DELETE FROM blobs b
    WHERE b.id = ANY(:ids) AND NOT EXISTS (SELECT FROM memcube_versions v WHERE v.blob_id = b.id)""")
_ROWS_OF_BLOBS = text("SELECT id FROM blobs WHERE id = ANY(:ids)")

_ANSWERS_NAMING = text("""
    SELECT CAST(k.id AS text) AS id FROM idempotency_keys k
    WHERE k.body <> '' AND (k.turn_id = ANY(:ids) OR EXISTS (
      SELECT FROM regexp_matches(convert_from(k.body, 'UTF8'), '((conv|turn|cube|ver)_[0-9a-f]{32})', 'g') AS m (named)
      WHERE m.named[1] = ANY(:ids)))""")
# What was asked is as gone as what was answered; the status says so to whoever comes back with the key.
_KEYS_OF = text("""
    SELECT CAST(id AS text) AS id, key FROM idempotency_keys WHERE id = ANY(CAST(:ids AS uuid[])) AND body <> ''""")
_CLEAR_ANSWER = text("""
    UPDATE idempotency_keys SET key = :erased_key, status = 410, body = '', request_sha256 = ''
    WHERE id = CAST(:id AS uuid)""")
_STORED_ANSWERS = text("""
    SELECT CAST(id AS text) AS id FROM idempotency_keys
    WHERE id = ANY(CAST(:ids AS uuid[])) AND (body <> '' OR request_sha256 <> '')""")
_FAILING_JOBS = text("""
    SELECT id FROM outbox WHERE error IS NOT NULL AND (subject = ANY(:ids) OR turn_id = ANY(:ids))""")
_CLEAR_ERRORS = text("""
    UPDATE outbox SET error = '{"code": "erased"}' WHERE id = ANY(:ids) AND error IS NOT NULL""")
_TELLING_JOBS = text("""
    SELECT id FROM outbox WHERE id = ANY(:ids) AND error IS NOT NULL AND error <> '{"code": "erased"}'""")

_UNRETIRED = text("SELECT id FROM distil_runs WHERE id = ANY(:ids) AND retired_at IS NULL")
_PLANNED = text("""
    SELECT id FROM erasure_items WHERE erasure_id = :erasure_id AND store = :store AND action = 'erase'""")


async def _ids(work: UnitOfWork, statement: TextClause, **parameters: Any) -> list[str]:
    return [str(row["id"]) for row in await work.all(statement, **parameters)]


async def came_of(work: UnitOfWork, ids: Ids) -> Sequence[RowMapping]:
    """States, deltas and whatever else has no words, at any distance; each with what it came from and how."""
    return await work.all(_CAME_OF, ids=list(ids))


async def texts_of(work: UnitOfWork, ids: Ids) -> Sequence[RowMapping]:
    """Versions of text that came of these directly."""
    return await work.all(_TEXTS_OF, ids=list(ids))


async def telling(work: UnitOfWork, ids: Ids, turns: Ids) -> list[str]:
    """Of these versions, those that hold something that is erased: a start state does not."""
    return await _ids(work, _TELLING, ids=list(ids), turns=list(turns))


async def took_in(work: UnitOfWork, turns: Ids) -> Sequence[RowMapping]:
    return await work.all(_TOOK_IN, ids=list(turns))


async def versions_of(work: UnitOfWork, cubes: Ids) -> list[str]:
    return await _ids(work, _VERSIONS_OF, ids=list(cubes))


async def bury_versions(work: UnitOfWork, ids: Ids, erasure_id: str) -> None:
    await work.run(_BURY_VERSIONS, ids=list(ids), erasure_id=erasure_id)


async def unburied(work: UnitOfWork, ids: Ids) -> list[str]:
    return await _ids(work, _UNBURIED, ids=list(ids))


async def turns_of(work: UnitOfWork, conversations: Ids) -> list[str]:
    return await _ids(work, _TURNS_OF, ids=list(conversations))


async def copies_of(work: UnitOfWork, turns: Ids) -> Sequence[RowMapping]:
    return await work.all(_COPIES_OF, ids=list(turns))


async def later_turns(work: UnitOfWork, versions: Ids, erased: Ids) -> Sequence[RowMapping]:
    """Turns with an answer that read one of these versions or that one of them took in; by conversation and seq."""
    return await work.all(_LATER, versions=list(versions), erased=list(erased))


async def said(work: UnitOfWork, conversations: Ids, erased: Ids) -> Sequence[RowMapping]:
    """What stays of what the user said in these conversations; by conversation and seq."""
    return await work.all(_SAID, ids=list(conversations), erased=list(erased))


async def told(work: UnitOfWork, turns: Ids, versions: Ids) -> list[str]:
    """What users said in these turns, and what these versions say."""
    return [row["words"] for row in await work.all(_TOLD, turns=list(turns), versions=list(versions))]


async def answered(work: UnitOfWork, turns: Ids, versions: Ids) -> list[str]:
    """What was answered in these turns, and what these versions say that are answers."""
    return [row["words"] for row in await work.all(_ANSWERED, turns=list(turns), versions=list(versions))]


async def episodes_of(work: UnitOfWork, turns: Ids, *, answers_only: bool = False) -> Sequence[RowMapping]:
    """The memories that these turns became, each with its turn."""
    return await work.all(_EPISODES_OF, turns=list(turns), answers_only=answers_only)


async def erase_turns(work: UnitOfWork, ids: Ids, erasure_id: str) -> None:
    await work.run(_ERASE_TURNS, ids=list(ids), erasure_id=erasure_id)


async def redact_turns(work: UnitOfWork, ids: Ids, erasure_id: str) -> None:
    await work.run(_REDACT_TURNS, ids=list(ids), erasure_id=erasure_id)


async def speaking_turns(work: UnitOfWork, whole: Ids, answers: Ids) -> list[str]:
    return await _ids(work, _SPEAKING, whole=list(whole), answers=list(answers))


async def copied_titles(work: UnitOfWork, conversations: Ids) -> Sequence[RowMapping]:
    """Forks that have the title of one of these."""
    return await work.all(_COPIED_TITLES, ids=list(conversations))


async def conversations_of(work: UnitOfWork, turns: Ids, versions: Ids) -> list[str]:
    return await _ids(work, _CONVERSATIONS_OF, turns=list(turns), versions=list(versions))


async def clear_conversations(work: UnitOfWork, ids: Ids, erasure_id: str) -> None:
    await work.run(_CLEAR_CONVERSATIONS, ids=list(ids), erasure_id=erasure_id)


async def clear_titles(work: UnitOfWork, ids: Ids) -> None:
    await work.run(_CLEAR_TITLES, ids=list(ids))


async def named_conversations(work: UnitOfWork, ids: Ids) -> list[str]:
    return await _ids(work, _NAMED, ids=list(ids))


async def states_of(work: UnitOfWork, conversations: Ids) -> list[str]:
    return await _ids(work, _STATES_OF, ids=list(conversations))


async def losing_heads(work: UnitOfWork, versions: Ids) -> Sequence[RowMapping]:
    """Cubes whose newest version goes, and the newest that is left, if one is."""
    return await work.all(_LOSING_HEADS, ids=list(versions))


async def living_cubes(work: UnitOfWork, ids: Ids) -> Sequence[RowMapping]:
    return await work.all(_LIVING_CUBES, ids=list(ids))


async def bury_cubes(work: UnitOfWork, ids: Ids) -> None:
    await work.run(_BURY_CUBES, ids=list(ids))


async def unburied_cubes(work: UnitOfWork, ids: Ids) -> list[str]:
    return await _ids(work, _UNBURIED_CUBES, ids=list(ids))


async def embeddings_of(work: UnitOfWork, versions: Ids) -> list[str]:
    """Of these versions, those that have vectors."""
    return await _ids(work, _EMBEDDINGS_OF, ids=list(versions))


async def drop_embeddings(work: UnitOfWork, versions: Ids) -> None:
    await work.run(_DROP_EMBEDDINGS, ids=list(versions))


async def clear_events(work: UnitOfWork, cubes: Ids) -> None:
    await work.run(_CLEAR_EVENTS, ids=list(cubes))


async def telling_events(work: UnitOfWork, cubes: Ids) -> list[str]:
    return await _ids(work, _TELLING_EVENTS, ids=list(cubes))


async def grants_of(work: UnitOfWork, cubes: Ids) -> list[str]:
    return await _ids(work, _GRANTS_OF, ids=list(cubes))


async def clear_grants(work: UnitOfWork, ids: Ids, erasure_id: str) -> None:
    await work.run(_CLEAR_GRANTS, ids=list(ids), erasure_id=erasure_id)


async def naming_grants(work: UnitOfWork, ids: Ids) -> list[str]:
    return await _ids(work, _NAMING_GRANTS, ids=list(ids))


async def blobs_of(work: UnitOfWork, versions: Ids) -> list[str]:
    """Those that no other version refers to."""
    return await _ids(work, _BLOBS_OF, ids=list(versions))


async def orphans(work: UnitOfWork, conversations: Ids, before: Any) -> list[str]:
    return await _ids(work, _ORPHANS, conversations=list(conversations), before=before)


async def drop_blobs(work: UnitOfWork, ids: Ids) -> None:
    await work.run(_DROP_BLOBS, ids=list(ids))


async def rows_of_blobs(work: UnitOfWork, ids: Ids) -> list[str]:
    return await _ids(work, _ROWS_OF_BLOBS, ids=list(ids))


async def answers_naming(work: UnitOfWork, ids: Ids) -> list[str]:
    """Stored answers in which one of these ids stands."""
    return await _ids(work, _ANSWERS_NAMING, ids=list(ids))


async def keys_of(work: UnitOfWork, ids: Ids) -> Sequence[RowMapping]:
    """Of these, those whose answer is still stored."""
    return await work.all(_KEYS_OF, ids=list(ids))


async def clear_answer(work: UnitOfWork, key_id: str, erased_key: str) -> None:
    work.queue(_CLEAR_ANSWER, id=key_id, erased_key=erased_key)


async def stored_answers(work: UnitOfWork, ids: Ids) -> list[str]:
    return await _ids(work, _STORED_ANSWERS, ids=list(ids))


async def failing_jobs(work: UnitOfWork, ids: Ids) -> list[str]:
    return await _ids(work, _FAILING_JOBS, ids=list(ids))


async def clear_errors(work: UnitOfWork, ids: Ids) -> None:
    await work.run(_CLEAR_ERRORS, ids=list(ids))


async def telling_jobs(work: UnitOfWork, ids: Ids) -> list[str]:
    return await _ids(work, _TELLING_JOBS, ids=list(ids))


async def unretired_runs(work: UnitOfWork, ids: Ids) -> list[str]:
    return await _ids(work, _UNRETIRED, ids=list(ids))


async def planned(work: UnitOfWork, erasure_id: str, store: str) -> list[str]:
    """What an erasure is to take from one store."""
    return await _ids(work, _PLANNED, erasure_id=erasure_id, store=store)
