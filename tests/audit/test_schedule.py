"""The service chains by itself: a schedule queues the job, and whoever runs jobs runs it."""

from tests.api.talk import eventually, look, post
from tests.support.live import Live, serve
from tests.support.postgres import Cluster


def test_the_log_is_chained_by_itself(postgres_cluster: Cluster) -> None:
    often = {"schedule_poll_s": 0.1, "schedule_every_s": {"audit_chain": 0.3}}
    with serve(postgres_cluster.database(), **often) as service, service.client() as client:
        conversation = post(client, "/v1/conversations", {"user_id": "ada"}).json()["id"]

        def chained() -> bool:
            rows = client.get("/v1/audit", params={"subject": conversation}).json()["items"]
            return bool(rows) and all(row["seq"] is not None for row in rows)

        assert eventually(chained, 30)
        found = client.get("/v1/audit/verify").json()
        assert found["ok"]
        assert found["head"] is not None
        assert found["witnessed"]["seq"] >= 1
        assert _failed(service) == 0


def _failed(service: Live) -> int:
    return len(look(service, "SELECT id FROM outbox WHERE status = 'failed'"))
