"""Vectors compared in the database: the same answers as comparing all, for one's own tenant, gone with their source."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import numpy as np
import psycopg
import pytest
from sqlalchemy import make_url

from memos.kit.db import Database
from memos.recall.vectors import pgvector, store
from memos.recall.vectors.exact import ExactIndex
from memos.recall.vectors.pgvector import GRAPH_FROM, DatabaseVectors, NoPgvector, literal
from memos.recall.vectors.port import Vectors
from tests.support.postgres import Addresses, Cluster

pytestmark = pytest.mark.anyio

MODEL, SIZE = "a model", 384
OURS, THEIRS = f"ten_{'0' * 32}", f"ten_{'1' * 32}"
SCOPE, OTHER = f"scope_{'0' * 32}", f"scope_{'1' * 32}"


class Planted:
    """A database with embeddings and nothing around them."""

    def __init__(self, addresses: Addresses) -> None:
        url = make_url(addresses.admin).set(drivername="postgresql").render_as_string(hide_password=False)
        self.admin = psycopg.connect(url, autocommit=True)
        self.admin.execute("SET session_replication_role = replica")  # no triggers, no foreign keys
        for tenant, scope in ((OURS, SCOPE), (THEIRS, OTHER)):
            self.admin.execute("INSERT INTO tenants (id, name) VALUES (%s, %s)", [tenant, tenant])
            self.admin.execute(
                "INSERT INTO recall_scopes (tenant_id, id, user_id) VALUES (%s, %s, 'ada')", [tenant, scope]
            )

    def embed(
        self, vectors: Vectors, *, tenant: str = OURS, scope: str = SCOPE, first: int = 0, revision: int = 1
    ) -> None:
        with self.admin.cursor() as cursor:
            with cursor.copy(
                "COPY embeddings (tenant_id, version_id, model, dimensions, vector, scope_id, revision) FROM STDIN"
            ) as copy:
                for number, vector in enumerate(vectors, first):
                    row = (tenant, version(number, scope), MODEL, len(vector), vector.tobytes(), scope, revision)
                    copy.write_row(row)
            cursor.execute("UPDATE recall_scopes SET revision = %s WHERE id = %s", [revision, scope])

    def value(self, query: str, *given: object) -> Any:
        row = self.admin.execute(query.encode(), given).fetchone()
        return None if row is None else row[0]


def version(number: int, scope: str = SCOPE) -> str:
    return f"ver_{scope[-4:]}_{number:08d}"


def units(count: int, seed: int) -> Vectors:
    """Like embeddings of sentences: topics, and directions that matter more and less."""
    topics = np.random.default_rng(7).standard_normal((50, SIZE))
    random = np.random.default_rng(seed)
    scale = np.arange(1, SIZE + 1) ** -0.5
    drawn = (topics[random.integers(0, 50, count)] + random.standard_normal((count, SIZE))) * scale
    return np.asarray(drawn / np.linalg.norm(drawn, axis=1, keepdims=True), np.float32)


@pytest.fixture
def planted(postgres_cluster: Cluster) -> Iterator[tuple[Planted, Addresses]]:
    addresses = postgres_cluster.database()
    made = Planted(addresses)
    yield made, addresses
    made.admin.close()


@pytest.fixture
async def dense(planted: tuple[Planted, Addresses]) -> AsyncIterator[DatabaseVectors]:
    database = Database(planted[1].app)
    yield DatabaseVectors(database)
    await database.aclose()


async def test_answers_are_those_of_comparing_all(planted: tuple[Planted, Addresses], dense: DatabaseVectors) -> None:
    source, _ = planted
    vectors = units(300, 1)
    source.embed(vectors)
    await dense.follow(OURS, SCOPE, MODEL, 1)
    truth = ExactIndex(SIZE)
    truth.put(np.arange(300), vectors)
    for query in units(5, 2):
        found = await dense.search(OURS, SCOPE, MODEL, query, 20, size=300, also=[version(7), "ver_strange"])
        rows, cosines = truth.nearest(query, 20)
        expected = {version(row): cosine for row, cosine in zip(rows.tolist(), cosines.tolist(), strict=True)}
        expected[version(7)] = float(vectors[7] @ query)
        assert found.cosines == pytest.approx(expected, abs=1e-5)
        assert (found.mean, found.deviation) == pytest.approx(truth.spread(query), abs=1e-4)
        assert not found.whole
    assert (await dense.search(OURS, SCOPE, MODEL, vectors[0], 301, size=300)).whole


async def test_the_graph_finds_what_comparing_all_finds_in_one_scope_of_many(
    planted: tuple[Planted, Addresses], dense: DatabaseVectors
) -> None:
    source, _ = planted
    mine, theirs = units(600, 3), units(900, 4)
    source.embed(mine)
    source.embed(theirs, tenant=THEIRS, scope=OTHER)
    await dense.follow(OURS, SCOPE, MODEL, 1)
    await dense.follow(THEIRS, OTHER, MODEL, 1)
    truth = ExactIndex(SIZE)
    truth.put(np.arange(600), mine)
    shares = []
    for query in units(20, 5):
        found = await dense.search(OURS, SCOPE, MODEL, query, 20, size=GRAPH_FROM)
        expected = {version(row) for row in truth.nearest(query, 20)[0].tolist()}
        shares.append(len(expected & set(found.cosines)) / 20)
        assert all(name.startswith(f"ver_{SCOPE[-4:]}_") for name in found.cosines)
    assert np.mean(shares) >= 0.99


async def test_the_graph_serves_the_order_of_a_large_scope_and_no_other(
    planted: tuple[Planted, Addresses], dense: DatabaseVectors
) -> None:
    source, _ = planted
    source.embed(units(200, 6))
    await dense.follow(OURS, SCOPE, MODEL, 1)
    source.admin.execute("SET enable_sort = off")  # so few are sorted sooner
    asked = {"scope_id": SCOPE, "model": MODEL, "vector": literal(units(1, 8)[0]), "most": 20, "also": [], "sample": 9}
    plans = {}
    for graph in (True, False):
        statement = str(store._nearest(SIZE, graph)).replace("\\:\\:", "::")
        for name in asked:
            statement = statement.replace(f":{name}", f"%({name})s").replace(f":%({name})s", f"::{name}")
        plan = source.admin.execute(f"EXPLAIN {statement}".encode(), asked).fetchall()
        plans[graph] = "\n".join(row[0] for row in plan)
    assert "dense_vectors_384" in plans[True]
    assert "dense_vectors_384" not in plans[False]


async def test_what_is_added_and_replaced_later_is_followed(
    planted: tuple[Planted, Addresses], dense: DatabaseVectors, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pgvector, "COPIED_AT_ONCE", 100)
    source, _ = planted
    vectors = units(250, 9)
    source.embed(vectors[:240])
    await dense.follow(OURS, SCOPE, MODEL, 1)
    assert source.value("SELECT count(*) FROM dense_vectors") == 240
    source.embed(vectors[240:], first=240, revision=2)
    moved = units(1, 10)[0]
    source.admin.execute(
        "UPDATE embeddings SET vector = %s, revision = 3 WHERE version_id = %s", [moved.tobytes(), version(5)]
    )
    source.admin.execute("UPDATE recall_scopes SET revision = 3")
    await dense.follow(OURS, SCOPE, MODEL, 1)
    assert source.value("SELECT count(*) FROM dense_vectors") == 240, "nothing newer was asked for"
    await dense.follow(OURS, SCOPE, MODEL, 3)
    for number, vector in ((249, vectors[249]), (5, moved)):
        found = await dense.search(OURS, SCOPE, MODEL, vector, 1, size=250)
        assert found.cosines == pytest.approx({version(number): 1.0}, abs=1e-5)


async def test_what_is_erased_takes_its_copy_with_it(
    planted: tuple[Planted, Addresses], dense: DatabaseVectors
) -> None:
    source, addresses = planted
    vectors = units(50, 11)
    source.embed(vectors)
    await dense.follow(OURS, SCOPE, MODEL, 1)
    url = make_url(addresses.app).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as app:
        app.execute("SELECT set_config('memos.tenant', %s, false)", [OURS])
        app.execute("DELETE FROM embeddings WHERE version_id = %s", [version(3)])
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            app.execute("DELETE FROM dense_vectors")
    assert version(3) not in (await dense.search(OURS, SCOPE, MODEL, vectors[3], 50, size=50)).cosines
    assert source.value("SELECT count(*) FROM dense_vectors") == 49


async def test_another_tenant_sees_nothing(planted: tuple[Planted, Addresses], dense: DatabaseVectors) -> None:
    source, _ = planted
    vectors = units(20, 12)
    source.embed(vectors)
    await dense.follow(THEIRS, SCOPE, MODEL, 1)
    assert source.value("SELECT count(*) FROM dense_vectors") == 0
    dense.forget()
    await dense.follow(OURS, SCOPE, MODEL, 1)
    for size in (20, GRAPH_FROM):
        theirs = await dense.search(THEIRS, SCOPE, MODEL, vectors[0], 20, size=size, also=[version(0)])
        assert theirs.cosines == {}
        assert len((await dense.search(OURS, SCOPE, MODEL, vectors[0], 20, size=size)).cosines) == 20


async def test_a_database_without_the_extension_says_so_and_is_mended_by_migrating_again(
    planted: tuple[Planted, Addresses], dense: DatabaseVectors
) -> None:
    from migrations.runner import upgrade

    source, addresses = planted
    source.embed(units(5, 13))
    source.admin.execute("DROP TABLE dense_vectors, dense_scopes; DROP EXTENSION vector")
    with pytest.raises(NoPgvector):
        await dense.follow(OURS, SCOPE, MODEL, 1)
    upgrade(addresses.admin)
    await dense.follow(OURS, SCOPE, MODEL, 1)
    assert source.value("SELECT count(*) FROM dense_vectors") == 5
