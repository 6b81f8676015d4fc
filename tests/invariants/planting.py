"""How a test plants what must never be, and what the invariants say of it."""

from typing import Any

import httpx2

from tests.api.talk import eventually
from tests.support.evidence import connect
from tests.support.live import Live


def states(client: httpx2.Client) -> dict[str, dict[str, Any]]:
    return {state["name"]: state for state in client.get("/v1/stats").json()["invariants"]}


def planted(live: Live, sql: str, *values: Any) -> None:
    """Writes what no role of the service may: without triggers and foreign keys."""
    with connect(live.database.admin) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(sql, values or None)


def found(client: httpx2.Client, name: str, subject: str) -> str:
    """What the schedule's next runs say of it."""

    def seen() -> str:
        examples = states(client)[name]["examples"]
        return next((example["detail"] for example in examples if example["subject"] == subject), "")

    return eventually(seen, 20)


def mended(client: httpx2.Client, name: str) -> None:
    eventually(lambda: (state := states(client)[name])["checked_at"] and state["findings"] == 0, 20)
