"""The released model behind the API: it tells how its memory is, what it wrote, and which slots an answer read."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests.api.talk import say, settled
from tests.generation.worker_process import WorkerProcess
from tests.support.live import Live, serve
from tests.support.postgres import Cluster


@pytest.fixture(scope="module")
def remembering(postgres_cluster: Cluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A service whose model is the released one, in a worker of its own."""
    folder: Path = tmp_path_factory.mktemp("real")
    blobs = (folder / "blobs").as_uri()
    worker = WorkerProcess(folder, blobs, engine="rxt")
    try:
        options: dict[str, Any] = {"generator": "rxt", "model_url": worker.url, "blob_url": blobs}
        with serve(postgres_cluster.database(), **options) as service:
            yield service
    finally:
        worker.stop()


@pytest.fixture
def spoken(remembering: Live) -> Iterator[httpx2.Client]:
    with remembering.client() as client:
        yield client


def test_an_answer_read_slots_that_the_telling_turn_wrote(remembering: Live, spoken: httpx2.Client) -> None:
    begun = remembering.conversation(spoken)
    for text in ("My dog is called Biscuit.", "It rained today."):
        say(spoken, begun, text)
    turn = say(spoken, begun, "What is my dog called?")
    assert "Biscuit" in turn["output"]
    cube = settled(spoken, begun)["state_cube_id"]
    told = spoken.get(f"/v1/turns/{turn['id']}/explanation").json()
    assert told["slots_unavailable"] is None
    shares = [slot["share"] for slot in told["slots"]]
    assert shares == sorted(shares, reverse=True)
    assert 0 < sum(shares) <= 1.001
    sources = [slot["written_at"] for slot in told["slots"] if slot["written_at"]]
    assert "biscuit" in " ".join(word for origin in sources if origin["seq"] == 1 for word in origin["words"]).lower()
    for number in (1, 2, 3):
        record = spoken.get(f"/v1/cubes/{cube}/versions/{number}").json()
        assert {"slot_diversity", "gate_mean", "drift", "distance_to_start", "collapsed"} <= set(
            record["metadata"]["health"]
        )
        assert record["written"]
        assert all(0 < write["gate"] <= 2 for write in record["written"])
    assert 'memos_memory_drift_count{model="' in spoken.get("/metrics").text


def test_how_to_draw_reaches_the_real_model(remembering: Live, spoken: httpx2.Client) -> None:
    def answered(**drawn: Any) -> str:
        begun = remembering.conversation(spoken)
        say(spoken, begun, "My dog is called Biscuit.")
        return str(say(spoken, begun, "What is my dog called?", **drawn)["output"])

    greedy = answered()
    assert answered(temperature=1.5, top_k=1, seed=3) == greedy
    assert answered(temperature=1.5, top_p=1e-6, seed=3) == greedy
    assert answered(stop=["called"]) == greedy.partition("called")[0]


def test_what_another_conversation_was_told_is_recalled(remembering: Live, spoken: httpx2.Client) -> None:
    """And the newest word on a thing wins, here or there."""
    told = remembering.conversation(spoken, "wilma")
    say(spoken, told, "My dog is called Waffle.")
    other = remembering.conversation(spoken, "wilma")
    without = say(spoken, other, "What is my dog called?", recall={"top_k": 0})
    assert "Waffle" not in without["output"]
    turn = say(spoken, other, "What is my dog called?")
    assert "Waffle" in turn["output"]
    assert "My dog is called Waffle." in [memory["text"] for memory in turn["memory"]["read"]]
    assert turn["memory"]["recall"] in ("hybrid", "words")
    explained = spoken.get(f"/v1/turns/{turn['id']}/explanation").json()
    assert explained["slots_unavailable"] is None, "read again with what was recalled"
