"""A service with something of everything in it, for a browser to look at: turns, a fork, a merge, a rollback, memories
that were revised, archived and frozen, a policy's decisions, a consolidation, a delta, a failed job, an erasure; and in
every text that a user can write, something that would run if a page did not show it as text.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import httpx2

from memos.kit.ids import new_id
from tests.api.talk import eventually, look, post, say, settled
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

RUNS = "<img src=x onerror=\"window.hurt='{0}'\"><script>window.hurt='{0}'</script>\"'><b>{0}</b>"
USER = "ada " + RUNS.format("user")


@dataclass
class Scene:
    """The service and the ids of what is in it."""

    live: Live
    client: httpx2.Client
    ids: dict[str, str] = field(default_factory=dict)


@contextmanager
def set_up(cluster: Cluster) -> Iterator[Scene]:
    with serve(cluster.database(), lease_s=60.0) as live, live.client() as client:
        scene = Scene(live, client)
        _conversations(scene)
        _memories(scene)
        _work(scene)
        _erasures(scene)
        yield scene


def _conversations(scene: Scene) -> None:
    client, ids = scene.client, scene.ids
    made = {"user_id": USER, "title": "Dogs " + RUNS.format("title"), "agent_id": "agent " + RUNS.format("agent")}
    ids["conversation"] = post(client, "/v1/conversations", made).json()["id"]
    lines = [
        "My dog is called Biscuit.",
        "She is a beagle of four years.",
        RUNS.format("turn"),
        "What is my dog called?",
    ]
    for line in lines:
        ids["turn"] = say(client, ids["conversation"], line)["id"]
    ids["state"] = settled(client, ids["conversation"])["state_cube_id"]
    fork = {"at_turn": 2, "title": "Another way"}
    ids["fork"] = post(client, f"/v1/conversations/{ids['conversation']}/fork", fork).json()["id"]
    say(client, ids["fork"], "Biscuit has a brother called Waffle.")
    settled(client, ids["fork"])
    merged = {"from_conversation_id": ids["fork"], "strategy": "replay"}
    post(client, f"/v1/conversations/{ids['conversation']}/merge", merged)
    settled(client, ids["conversation"])
    ids["rolled"] = post(client, "/v1/conversations", {"user_id": "bob", "title": "Rolled back"}).json()["id"]
    for number in range(4):
        say(client, ids["rolled"], f"Line {number} of what Bob said.")
    settled(client, ids["rolled"])
    post(client, f"/v1/conversations/{ids['rolled']}/rollback", {"to_turn": 2})


def _memories(scene: Scene) -> None:
    client, ids = scene.client, scene.ids

    def remembered(text: str, **more: Any) -> str:
        return str(post(client, "/v1/cubes", {"text": text, "user_id": USER, **more}).json()["id"])

    ids["cube"] = remembered(
        "Ada's dog is called Biscuit and sleeps in the kitchen. " + RUNS.format("cube"),
        tags=["pets", RUNS.format("tag")[:100]], semantic_type=RUNS.format("type")[:100],
    )  # fmt: skip
    for text in ("Ada's dog is called Biscuit and sleeps in the hall.", "Ada's dog Biscuit sleeps in the hall."):
        number = client.get(f"/v1/cubes/{ids['cube']}").json()["head_version"]
        revised = client.post(
            f"/v1/cubes/{ids['cube']}/versions", json={"text": text, "metadata": {"note": RUNS.format("metadata")}},
            headers={"If-Match": str(number)},
        )  # fmt: skip
        assert revised.status_code == 201, revised.text
    pair = [remembered("Ada likes tea."), remembered("Ada likes green tea best.")]
    ids["merged"] = post(client, "/v1/cubes/merge", {"cube_ids": pair}).json()["id"]
    ids["archived"] = remembered("Ada lived in Leeds.")
    reason = RUNS.format("reason")
    post(client, f"/v1/cubes/{ids['archived']}/transition", {"to": "archived", "reason": reason})
    ids["frozen"] = remembered("Ada is allergic to nuts.")
    post(client, f"/v1/cubes/{ids['frozen']}/freeze", {"frozen": True, "reason": reason})
    lesson = remembered("Ada's favourite colour is green.")
    ids["delta"] = post(client, "/v1/deltas", {"user_id": USER, "cube_ids": [lesson]}).json()["id"]


def _work(scene: Scene) -> None:
    client, ids = scene.client, scene.ids
    policy = {
        "name": "a few each " + RUNS.format("policy"),
        "rule": {"kind": "fifo", "most": 1},
        "cube_kind": "plaintext",
    }
    ids["policy"] = post(client, "/v1/policies", policy).json()["id"]
    run = post(client, f"/v1/policies/{ids['policy']}/run", {"dry_run": True}).json()["id"]
    eventually(lambda: client.get(f"/v1/policies/{ids['policy']}/runs/{run}").json()["status"] == "done")
    ids["run"] = post(client, "/v1/consolidations", {"user_id": USER, "dry_run": True}).json()["id"]
    eventually(lambda: client.get(f"/v1/consolidations/{ids['run']}").json()["status"] == "done")
    eventually(lambda: client.get(f"/v1/deltas/{ids['delta']}").json()["status"] == "done")
    ids["proposal"] = new_id("prop")
    look(
        scene.live,
        "INSERT INTO consolidation_proposals (tenant_id, id, run_id, cube_id, version_id, user_id, reason) "
        "SELECT r.tenant_id, %s, r.id, c.id, c.head_version_id, r.user_id, 'often read' "
        "FROM consolidations r JOIN memcubes c USING (tenant_id) WHERE r.id = %s AND c.id = %s",
        ids["proposal"], ids["run"], ids["frozen"],
    )  # fmt: skip
    ids["job"] = failed_job(scene, ids["rolled"])


def failed_job(scene: Scene, conversation: str) -> str:
    """One that waits for an admin."""
    job = new_id("job")
    look(
        scene.live,
        "INSERT INTO outbox (tenant_id, id, task, subject, status, failures, error) SELECT tenant_id, %s, 'advance', "
        "id, 'failed', 8, '{\"code\": \"model_unavailable\", \"detail\": \"no answer\", \"hint\": \"Retry.\"}' "
        "FROM conversations WHERE id = %s",
        job, conversation,
    )  # fmt: skip
    return job


def _erasures(scene: Scene) -> None:
    client, ids = scene.client, scene.ids
    gone = post(client, "/v1/conversations", {"user_id": "carol"}).json()["id"]
    say(client, gone, "I am Carol and want to be forgotten.")
    settled(client, gone)
    ids["erasure"] = post(client, "/v1/erasures", {"conversation_id": gone}).json()["id"]
    eventually(lambda: client.get(f"/v1/erasures/{ids['erasure']}").json()["logical_at"], 60)
    dry = {"conversation_id": ids["rolled"], "dry_run": True}
    ids["dry"] = post(client, "/v1/erasures", dry).json()["id"]
    eventually(lambda: client.get(f"/v1/erasures/{ids['dry']}").json()["status"] == "done", 60)
