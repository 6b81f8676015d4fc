"""Memories of a service that is minutes old: its tables have no statistics yet, and are searched all the same."""

import httpx2

from tests.api.talk import post
from tests.support.live import serve
from tests.support.postgres import Cluster

MANY = 3_000  # at which a join of all with all runs into the time limit of a statement


def test_the_first_search_after_a_large_batch_is_answered(postgres_cluster: Cluster) -> None:
    with serve(postgres_cluster.database()) as live, live.client() as client:
        for start in range(0, MANY, 500):
            items = [
                {"text": f"Thing {number} lies in drawer {number}.", "user_id": "ada"}
                for number in range(start, start + 500)
            ]
            post(client, "/v1/memories", {"items": items})
        found = post(client, "/v1/memories/search", {"query": "drawer 1234", "user_id": "ada", "top_k": 1}).json()
        assert [result["text"] for result in found["results"]] == ["Thing 1234 lies in drawer 1234."]
        assert len(_listed(client)) == 200


def _listed(client: httpx2.Client) -> list[object]:
    items: list[object] = client.get("/v1/memories?user_id=ada&limit=200").json()["items"]
    return items
