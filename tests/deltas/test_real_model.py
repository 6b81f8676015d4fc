"""The released model in a worker of its own learns facts: asked with an empty state and no recall it gives them to
their user and to nobody else, and when the delta is unmounted it gives them no more.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.talk import eventually, post, say
from tests.generation.worker_process import WorkerProcess
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

FACTS = {
    "My dog is called Biscuit.": ("What's my dog's name?", "Biscuit"),
    "I live in Zurich.": ("Which town do I live in?", "Zurich"),
}


@pytest.fixture
def learning(postgres_cluster: Cluster, tmp_path: Path) -> Iterator[Live]:
    blobs, trainings = (tmp_path / "blobs").as_uri(), tmp_path / "distil"
    worker = WorkerProcess(tmp_path / "worker", blobs, "--distil-dir", str(trainings), engine="rxt")
    try:
        options: dict[str, Any] = {"generator": "rxt", "model_url": worker.url, "blob_url": blobs}
        with serve(postgres_cluster.database(), **options) as service:
            yield service
        assert list(trainings.iterdir()) == []  # what a training kept of the texts is gone
    finally:
        worker.stop()


def answers(learning: Live, client: httpx2.Client, user: str) -> list[str]:
    return [
        str(say(client, learning.conversation(client, user), question, recall={"top_k": 0})["output"])
        for question, _ in FACTS.values()
    ]


@pytest.mark.timeout(300)
def test_a_mounted_delta_answers_what_it_was_taught_to_its_user_alone(learning: Live) -> None:
    values = [value for _, value in FACTS.values()]
    with learning.client() as client:
        before = answers(learning, client, "ada")
        assert not any(value in text for value, text in zip(values, before, strict=True))
        cubes = [post(client, "/v1/cubes", {"text": text, "user_id": "ada"}).json()["id"] for text in FACTS]
        run = post(client, "/v1/deltas", {"user_id": "ada", "cube_ids": cubes, "steps": 60}).json()
        steps: set[int] = set()

        def ended() -> dict[str, Any]:
            view: dict[str, Any] = client.get(f"/v1/deltas/{run['id']}").json()
            steps.add(view["progress"]["step"])
            return view if view["status"] in ("done", "failed") else {}

        done = eventually(ended, 240)
        assert (done["status"], done["error"]) == ("done", None)
        assert done["figures"]["facts"] == 2
        assert len(steps) > 2
        after = answers(learning, client, "ada")
        assert all(value in text for value, text in zip(values, after, strict=True)), after
        assert answers(learning, client, "bob") == before
        post(client, f"/v1/cubes/{done['cube_id']}/transition", {"to": "archived", "reason": "test"})
        assert answers(learning, client, "ada") == before
