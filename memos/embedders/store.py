"""SQL of embedding: what lacks a vector, the vectors themselves, and which model a scope's searches use.

Whoever changes a memory holds its scope's row until they commit, for that is where its stamp comes from. So whoever
locks that row here sees everything that was written before, and nothing is written meanwhile.
"""

from collections.abc import Sequence

from psycopg.types.json import Jsonb
from sqlalchemy import RowMapping, text

from memos.generation.port import Embedded
from memos.kit.unit_of_work import UnitOfWork

_SCOPE = """
    SELECT s.id, s.revision, s.embedder, s.next_embedder, s.embedded_revision FROM recall_scopes s
    WHERE s.id = :id AND s.erased_by IS NULL"""
_GET = text(_SCOPE)
_LOCK = text(f"{_SCOPE} FOR UPDATE")
# Each row is looked up by itself, which `OFFSET 0` says to a planner that has no statistics yet (see memos/memories).
_HEAD = "CROSS JOIN LATERAL (SELECT v.* FROM memcube_versions v WHERE v.id = c.head_version_id OFFSET 0) v"
_CUBE = "CROSS JOIN LATERAL (SELECT m.* FROM memcubes m WHERE m.id = v.cube_id OFFSET 0) c"
# What can be embedded: the newest version of whatever is not erased, nor about to be.
_READABLE = "c.lifecycle <> 'erased' AND c.erasing_by IS NULL AND v.content IS NOT NULL"
_WITHOUT = "NOT EXISTS (SELECT FROM embeddings x WHERE x.version_id = v.id AND x.model = :model OFFSET 0)"
_LACKING = f"""
    SELECT v.id AS version_id, v.content, c.recall_revision, c.id AS cube_id
    FROM memcubes c {_HEAD}
    WHERE c.scope_id = :scope_id AND (c.recall_revision, c.id) > (:revision, CAST(:after AS text) COLLATE "C")
      AND {_READABLE} AND {_WITHOUT}"""
_NEXT_LACKING = text(f"{_LACKING} ORDER BY c.recall_revision, c.id LIMIT :limit")
# Earlier versions that had a vector keep having one: a search of the past asks for them.
_EARLIER = f"""
    SELECT v.id AS version_id, v.content
    FROM embeddings e
    CROSS JOIN LATERAL (SELECT v.* FROM memcube_versions v WHERE v.id = e.version_id OFFSET 0) v {_CUBE}
    WHERE e.scope_id = :scope_id AND e.model = :had AND e.version_id > CAST(:after AS text) COLLATE "C"
      AND {_READABLE} AND {_WITHOUT}"""
_NEXT_EARLIER = text(f"{_EARLIER} ORDER BY e.version_id LIMIT :limit")
_OF_EARLIER = _EARLIER.replace(":after", ":after_version")
_WHOLE = text(f"SELECT NOT EXISTS ({_LACKING}) AND NOT EXISTS ({_OF_EARLIER}) AS whole")
_PUT = text(f"""
    INSERT INTO embeddings (tenant_id, version_id, model, dimensions, vector, scope_id, revision)
    SELECT :tenant_id, v.id, :model, :dimensions, w.vector, c.scope_id, 0
    FROM unnest(CAST(:ids AS text[]), CAST(:vectors AS bytea[])) AS w (id, vector)
    CROSS JOIN LATERAL (SELECT v.* FROM memcube_versions v WHERE v.id = w.id OFFSET 0) v {_CUBE}
    WHERE c.scope_id = :scope_id AND {_READABLE} AND {_WITHOUT}
    ORDER BY v.id
    ON CONFLICT (version_id, model) DO NOTHING""")
_COUNT = text(f"""
    SELECT count(*) AS total,
      count(*) FILTER (WHERE EXISTS (SELECT FROM embeddings x WHERE x.version_id = v.id AND x.model = :model)) AS done
    FROM memcubes c {_HEAD} WHERE c.scope_id = :scope_id AND {_READABLE}""")
_BEGIN_WITH = text("UPDATE recall_scopes SET embedder = :model, next_embedder = NULL WHERE id = :id")
_AIM = text("UPDATE recall_scopes SET next_embedder = :model WHERE id = :id")
# The revision is raised, so that every index of the scope hears of it.
_RAISE = text("SELECT memos_raise_scope(:id) AS revision")
_SWITCH = text("""
    UPDATE recall_scopes SET embedder = next_embedder, next_embedder = NULL, embedded_revision = revision
    WHERE id = :id""")
_MARK = text("""
    UPDATE recall_scopes SET embedded_revision = :revision
    WHERE id = :id AND embedder = :model AND embedded_revision < :revision""")
_DROP_OTHERS = text("""
    DELETE FROM embeddings d USING (
      SELECT e.version_id, e.model FROM embeddings e JOIN recall_scopes s ON s.id = e.scope_id
      WHERE e.scope_id = :id AND s.embedder IS NOT NULL AND e.model <> s.embedder
        AND e.model IS DISTINCT FROM s.next_embedder
      ORDER BY e.version_id LIMIT :limit) o
    WHERE d.version_id = o.version_id AND d.model = o.model""")
_OPEN = "SELECT FROM outbox o WHERE o.subject = s.id AND o.task = :task AND o.status IN ('queued', 'running')"
_OUTDATED = text(f"""
    SELECT s.id FROM recall_scopes s
    WHERE s.erased_by IS NULL AND s.embedder IS NOT NULL AND (s.embedder <> :model OR s.next_embedder IS NOT NULL)
      AND NOT EXISTS ({_OPEN})
    ORDER BY s.id LIMIT :limit""")
# Scopes in which something changed since they were last seen whole: those that still are get the mark, the others are
# named. A row that somebody is just writing to is left for the next time.
_BEHIND = text(f"""
    WITH behind AS (
      SELECT s.id, s.revision, s.embedded_revision, s.embedder FROM recall_scopes s
      WHERE s.erased_by IS NULL AND s.embedded_revision < s.revision AND NOT EXISTS ({_OPEN})
      ORDER BY s.id LIMIT :limit FOR UPDATE OF s SKIP LOCKED
    ), judged AS (
      SELECT b.id, b.revision, EXISTS (
        SELECT FROM memcubes c {_HEAD}
        WHERE c.scope_id = b.id AND c.recall_revision > b.embedded_revision AND {_READABLE}
          AND NOT EXISTS (
            SELECT FROM embeddings x WHERE x.version_id = v.id AND x.model = b.embedder OFFSET 0)) AS lacking
      FROM behind b
    ), whole AS (
      UPDATE recall_scopes s SET embedded_revision = j.revision FROM judged j WHERE j.id = s.id AND NOT j.lacking
    )
    SELECT id FROM judged WHERE lacking ORDER BY id""")
_PROGRESS = text("""
    UPDATE outbox SET progress = :progress WHERE task = :task AND subject = :subject AND status = 'running'""")
_MODELS = text("""
    SELECT s.embedder AS model, count(*) AS scopes FROM recall_scopes s
    WHERE s.erased_by IS NULL AND s.embedder IS NOT NULL GROUP BY s.embedder ORDER BY count(*) DESC, s.embedder""")
_SWITCHING = text("""
    SELECT s.id AS scope_id, s.embedder, s.next_embedder, o.status, o.progress, o.error
    FROM recall_scopes s LEFT JOIN LATERAL (
      SELECT j.status, j.progress, j.error FROM outbox j WHERE j.subject = s.id AND j.task = :task
      ORDER BY j.status = 'running' DESC, j.id DESC LIMIT 1) o ON true
    WHERE s.erased_by IS NULL AND s.embedder IS NOT NULL
      AND (s.next_embedder IS NOT NULL OR o.status IN ('queued', 'running', 'failed'))
    ORDER BY s.id LIMIT :limit""")


async def get(work: UnitOfWork, scope_id: str) -> RowMapping | None:
    """None: there is no such scope, or nobody's any more."""
    return await work.first(_GET, id=scope_id)


async def lock(work: UnitOfWork, scope_id: str) -> RowMapping | None:
    """The same; until the transaction ends nobody changes a memory of it."""
    return await work.first(_LOCK, id=scope_id)


async def lacking(
    work: UnitOfWork, scope_id: str, model: str, *, after: tuple[int, str], limit: int
) -> Sequence[RowMapping]:
    """Newest versions without a vector by this model, in the order of their stamps, beyond `after` (stamp, cube)."""
    return await work.all(_NEXT_LACKING, scope_id=scope_id, model=model, revision=after[0], after=after[1], limit=limit)


async def earlier(
    work: UnitOfWork, scope_id: str, model: str, *, had: str, after: str, limit: int
) -> Sequence[RowMapping]:
    """Any versions with a vector by the model `had` and none by this one, beyond the version `after`."""
    return await work.all(_NEXT_EARLIER, scope_id=scope_id, model=model, had=had, after=after, limit=limit)


async def whole(work: UnitOfWork, scope_id: str, model: str, *, had: str) -> bool:
    """Nothing is lacking, nor is anything of what the model `had` has."""
    row = await work.one(_WHOLE, scope_id=scope_id, model=model, revision=-1, after="", had=had, after_version="")
    return bool(row["whole"])


async def put(work: UnitOfWork, scope_id: str, version_ids: Sequence[str], made: Embedded) -> int:
    """Stores the vectors of what is still to be read; how many. To be called with the scope locked."""
    return await work.run(
        _PUT,
        tenant_id=work.tenant_id,
        scope_id=scope_id,
        model=made.model,
        dimensions=made.dimensions,
        ids=list(version_ids),
        vectors=[vector.astype("<f4", copy=False).tobytes() for vector in made.vectors],
    )


async def count(work: UnitOfWork, scope_id: str, model: str) -> tuple[int, int]:
    """Newest versions that have a vector by this model, and all of them."""
    row = await work.one(_COUNT, scope_id=scope_id, model=model)
    return int(row["done"]), int(row["total"])


async def begin_with(work: UnitOfWork, scope_id: str, model: str) -> None:
    await work.run(_BEGIN_WITH, id=scope_id, model=model)


async def aim(work: UnitOfWork, scope_id: str, model: str | None) -> None:
    await work.run(_AIM, id=scope_id, model=model)


async def switch(work: UnitOfWork, scope_id: str) -> None:
    await work.one(_RAISE, id=scope_id)
    await work.run(_SWITCH, id=scope_id)


async def mark(work: UnitOfWork, scope_id: str, model: str, revision: int) -> None:
    await work.run(_MARK, id=scope_id, model=model, revision=revision)


async def drop_others(work: UnitOfWork, scope_id: str, limit: int) -> int:
    """Vectors of models that the scope neither uses nor goes to."""
    return await work.run(_DROP_OTHERS, id=scope_id, limit=limit)


async def outdated(work: UnitOfWork, model: str, *, task: str, limit: int) -> list[str]:
    """Scopes that use another model, or are half-way, and that no job is at."""
    return [row["id"] for row in await work.all(_OUTDATED, model=model, task=task, limit=limit)]


async def behind(work: UnitOfWork, *, task: str, limit: int) -> list[str]:
    return [row["id"] for row in await work.all(_BEHIND, task=task, limit=limit)]


async def tell(work: UnitOfWork, task: str, scope_id: str, done: int, total: int) -> None:
    await work.run(_PROGRESS, task=task, subject=scope_id, progress=Jsonb({"done": done, "total": total}))


async def models(work: UnitOfWork) -> Sequence[RowMapping]:
    """How many scopes use which model."""
    return await work.all(_MODELS)


async def switching(work: UnitOfWork, *, task: str, limit: int) -> Sequence[RowMapping]:
    """Scopes that go from one model to another, or should and cannot, with their newest job."""
    return await work.all(_SWITCHING, task=task, limit=limit)
