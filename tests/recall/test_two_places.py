"""The same service twice over one database: one compares vectors itself, the other lets the database do it."""

from collections.abc import Iterator

import httpx2
import numpy as np
import psycopg
import pytest
from sqlalchemy import make_url

from memos.cli.doctor.addresses import postgres
from memos.cli.doctor.report import Report
from memos.kit.config import Settings
from tests.api.talk import post
from tests.memories.say import found, owner
from tests.support.live import Live, serve
from tests.support.postgres import Addresses, Cluster

SIZE = 384
WORDS = "harbour lantern violin orchard engine garden letter winter bridge market".split()


@pytest.fixture(scope="module")
def places(postgres_cluster: Cluster) -> Iterator[tuple[Live, Live]]:
    database = postgres_cluster.database()
    with serve(database) as memory, serve(database, recall_index="pgvector") as pgvector:
        yield memory, pgvector


def embedding(seed: int) -> list[float]:
    return [float(one) for one in np.random.default_rng(seed).standard_normal(SIZE)]


def text(number: int) -> str:
    return f"The {WORDS[number % 10]} and the {WORDS[number // 10 % 10]} are {number} steps apart."


def remembered(client: httpx2.Client, user_id: str, count: int) -> list[str]:
    items = [
        {"text": text(n), "user_id": user_id, "embedding": embedding(n), "tags": [f"t{n % 3}"]} for n in range(count)
    ]
    made = post(client, "/v1/memories", {"items": items}).json()
    return [one["id"] for one in made["memories"]]


def test_both_find_the_same_in_the_same_order(places: tuple[Live, Live]) -> None:
    user = owner()
    with places[0].client() as memory, places[1].client(places[0].key) as pgvector:
        remembered(memory, user, 60)
        for seed in range(5):
            query = {"query": text(seed), "embedding": embedding(seed + 7), "top_k": 8, "explain": True}
            for more in ({}, {"filters": {"tags": {"contains": "t1"}}}):
                one, other = (found(client, user, **query, **more) for client in (memory, pgvector))  # type: ignore[arg-type]
                assert [hit["id"] for hit in one] == [hit["id"] for hit in other]
                assert [hit["score"] for hit in one] == pytest.approx([hit["score"] for hit in other], abs=1e-4)
                assert any("meaning" in hit["signals"] for hit in other)


def test_what_one_adds_changes_and_puts_away_the_other_finds(places: tuple[Live, Live]) -> None:
    user = owner()
    with places[0].client() as memory, places[1].client(places[0].key) as pgvector:
        ids = remembered(memory, user, 5)
        query = {"query": "nothing of this kind", "embedding": embedding(3), "top_k": 5}
        assert found(pgvector, user, **query)[0]["id"] == ids[3]  # type: ignore[arg-type]
        assert pgvector.delete(f"/v1/memories/{ids[3]}").status_code in (200, 204)
        for client in (pgvector, memory):
            assert ids[3] not in [hit["id"] for hit in found(client, user, **query)]  # type: ignore[arg-type]


def test_another_user_is_not_found(places: tuple[Live, Live]) -> None:
    ada, bob = owner(), owner()
    with places[1].client() as client:
        mine = remembered(client, ada, 3)
        remembered(client, bob, 3)
        hits = found(client, ada, query=text(1), embedding=embedding(1), top_k=10)
        assert {hit["id"] for hit in hits} == set(mine)


def test_without_the_extension_a_search_and_doctor_say_so(postgres_cluster: Cluster) -> None:
    database = postgres_cluster.database()
    with serve(database, recall_index="pgvector") as live, live.client() as client:
        user = owner()
        remembered(client, user, 2)
        settings = Settings(database_url=database.app, recall_index="pgvector")
        assert _said(settings)["pgvector"] == "ok"
        _drop(database)
        answer = client.post("/v1/memories/search", json={"query": "x", "user_id": user, "embedding": embedding(1)})
        assert (answer.status_code, answer.json()["code"]) == (503, "no_pgvector")
        assert _said(settings)["pgvector"] == "wrong"
        assert "pgvector" not in _said(Settings(database_url=database.app))


def _said(settings: Settings) -> dict[str, str]:
    report = Report()
    postgres(report, settings)
    return {check.component: check.status for check in report.checks}


def _drop(database: Addresses) -> None:
    url = make_url(database.admin).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as admin:
        admin.execute("DROP TABLE dense_vectors, dense_scopes")
