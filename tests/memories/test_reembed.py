"""From one embedding model to another: nothing is lost, nothing is mixed, and whoever is killed goes on."""

import asyncio
import sys
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memos.embedders import store
from memos.embedders.filling import BATCH, Filler
from memos.embedders.tasks import EMBED, REEMBED, EmbedTask, FindUnembedded, ReembedTask
from memos.generation.embedders import LocalEmbedder
from memos.generation.port import Embedded, EmbedderUnavailable
from memos.memories.service import RecallService
from memos.recall.index import RecallIndex
from memos.recall.query import Asked, Hit
from tests.support.lab import Lab, lab
from tests.support.live import settings_for
from tests.support.postgres import Addresses, Cluster

pytestmark = pytest.mark.anyio


class Killed(BaseException):
    """The end of a process, as the code in it sees it."""


@dataclass
class Only:
    """The embedding side of a generator: `force` is the configured model; `gone` are not there any more; with `batches`
    it dies after so many."""

    force: str
    gone: set[str] = field(default_factory=set)
    batches: int | None = None
    asked: list[tuple[str, int]] = field(default_factory=list)
    before: Any = None

    def __post_init__(self) -> None:
        self._embedder = LocalEmbedder(self.force)

    async def embed(self, texts: Any, model: str | None = None, *, background: bool = False) -> Embedded:
        wanted = model or self.force
        if any(wanted.startswith(name) for name in self.gone):
            raise EmbedderUnavailable(f"{wanted} is gone")
        if texts:
            if self.batches is not None and self.batches <= 0:
                raise Killed
            self.batches = None if self.batches is None else self.batches - 1
            self.asked.append((wanted, len(texts)))
            if self.before is not None:
                await self.before()
        return await self._embedder.embed(texts, model, background=background)


@pytest.fixture(scope="module")
def laboratory(postgres_cluster: Cluster) -> Addresses:
    return postgres_cluster.database()


@pytest.fixture
async def place(laboratory: Addresses) -> AsyncIterator[Lab]:
    async with lab(laboratory) as made:
        yield made


async def run(place: Lab, task: str, only: Only) -> None:
    filler = Filler(place.database, only)  # type: ignore[arg-type]
    made = EmbedTask(filler) if task == EMBED else ReembedTask(filler)
    for row in place.look("SELECT id FROM recall_scopes ORDER BY id"):
        await made(place.tenant, row["id"])


def models(place: Lab) -> dict[str, int]:
    rows = place.look("SELECT model, count(*) AS many FROM embeddings GROUP BY model")
    return {row["model"].split("@")[0]: row["many"] for row in rows}


def scope(place: Lab) -> dict[str, Any]:
    (row,) = place.look("SELECT * FROM recall_scopes")
    return row


async def test_what_lacks_a_vector_gets_one_and_only_one(place: Lab) -> None:
    cubes = [await place.cube(f"memory {n}") for n in range(BATCH + 3)]
    only = Only("hash-32")
    await run(place, EMBED, only)
    assert models(place) == {"hash-32": len(cubes)}
    assert scope(place)["embedder"].startswith("hash-32@")
    rows = place.look(
        "SELECT v.content, e.vector, e.dimensions FROM embeddings e JOIN memcube_versions v ON v.id = e.version_id"
    )
    expected = (await only.embed([row["content"] for row in rows])).vectors
    for row, vector in zip(rows, expected, strict=True):
        assert row["dimensions"] == 32
        np.testing.assert_array_equal(np.frombuffer(row["vector"], "<f4"), vector)
    only.asked.clear()
    await run(place, EMBED, only)
    assert only.asked == []
    await place.revise(cubes[0], "memory 0, revised")
    await run(place, EMBED, only)
    assert only.asked == [(scope(place)["embedder"], 1)]
    assert models(place) == {"hash-32": len(cubes) + 1}


async def test_a_switch_moves_everything_and_drops_the_old(place: Lab) -> None:
    cubes = [await place.cube(f"memory {n}") for n in range(BATCH + 3)]
    await run(place, EMBED, Only("hash-32"))
    await place.revise(cubes[0], "memory 0, revised")
    await run(place, EMBED, Only("hash-32"))
    before = scope(place)["revision"]
    await run(place, REEMBED, Only("hash-48"))
    assert models(place) == {"hash-48": len(cubes) + 1}, "the version of the past kept a vector"
    after = scope(place)
    assert (after["embedder"].split("@")[0], after["next_embedder"]) == ("hash-48", None)
    assert after["revision"] > before
    (newest,) = place.look("SELECT max(revision) AS revision FROM embeddings")
    assert after["revision"] > newest["revision"], "the switch itself is a change that every index hears of"
    assert after["embedded_revision"] == after["revision"]


async def test_a_killed_one_goes_on_and_the_old_model_serves_meanwhile(place: Lab) -> None:
    for n in range(3 * BATCH):
        await place.cube(f"memory {n}")
    await run(place, EMBED, Only("hash-32"))
    with pytest.raises(Killed):
        await run(place, REEMBED, Only("hash-48", batches=2))
    assert models(place) == {"hash-32": 3 * BATCH, "hash-48": 2 * BATCH}
    half = scope(place)
    assert half["embedder"].startswith("hash-32@")
    assert half["next_embedder"].startswith("hash-48@")
    again = Only("hash-48")
    await run(place, REEMBED, again)
    assert [many for _, many in again.asked] == [BATCH], "only what was not stored is made"
    assert models(place) == {"hash-48": 3 * BATCH}


async def test_what_is_written_meanwhile_is_in_both(place: Lab) -> None:
    await place.cube("the first")
    await run(place, EMBED, Only("hash-32"))

    async def write() -> None:
        only.before = None
        await place.cube("written while the first was embedded anew")
        await run(place, EMBED, Only("hash-32"))
        assert models(place)["hash-32"] == 2

    only = Only("hash-48")
    only.before = write
    await run(place, REEMBED, only)
    assert models(place) == {"hash-48": 2}


async def test_what_is_written_at_the_last_moment_is_seen_before_the_switch(
    place: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.cube("the first")
    await run(place, EMBED, Only("hash-32"))
    earlier, late = Filler.earlier, ["written when all seemed done"]

    async def noted(self: Filler, *args: Any, **more: Any) -> bool:
        done = await earlier(self, *args, **more)
        if late:
            await place.cube(late.pop())
        return done

    monkeypatch.setattr(Filler, "earlier", noted)
    await run(place, REEMBED, Only("hash-48"))
    assert models(place) == {"hash-48": 2}


async def test_one_that_is_erased_meanwhile_leaves_no_vector(place: Lab) -> None:
    cube = await place.cube("to be erased")
    await place.cube("to be kept")
    await run(place, EMBED, Only("hash-32"))

    async def erase() -> None:
        """An erasure has taken it in hand, and its vectors away."""
        place.plant("UPDATE memcubes SET erasing_by = 'erase' WHERE id = %s", cube)
        place.plant(
            "DELETE FROM embeddings e USING memcube_versions v WHERE v.id = e.version_id AND v.cube_id = %s", cube
        )

    only = Only("hash-48", before=erase)
    await run(place, REEMBED, only)
    assert models(place) == {"hash-48": 1}


async def test_a_model_that_is_gone_holds_nothing_up(place: Lab) -> None:
    await place.cube("by the old model")
    await run(place, EMBED, Only("hash-32"))
    await place.cube("written after it was gone")
    with pytest.raises(EmbedderUnavailable):
        await run(place, EMBED, Only("hash-32", gone={"hash-32"}))
    only = Only("hash-48", gone={"hash-32"})
    await run(place, EMBED, only)
    assert [row["task"] for row in place.look("SELECT task FROM outbox WHERE status = 'queued'")] == [REEMBED]
    await run(place, REEMBED, only)
    assert models(place) == {"hash-48": 2}


async def test_the_schedule_finds_what_is_missing_and_what_is_of_another_model(place: Lab) -> None:
    await place.cube("unembedded")
    find = FindUnembedded(place.database, Only("hash-32"))  # type: ignore[arg-type]

    def queued() -> list[str]:
        return [row["task"] for row in place.look("SELECT task FROM outbox ORDER BY id")]

    await find(place.tenant, "sched")
    await find(place.tenant, "sched")
    assert queued() == [EMBED]
    place.plant("DELETE FROM outbox WHERE tenant_id = %s", place.tenant)
    await run(place, EMBED, Only("hash-32"))
    await find(place.tenant, "sched")
    assert queued() == []
    row = scope(place)
    assert row["embedded_revision"] == row["revision"]
    await FindUnembedded(place.database, Only("hash-48"))(place.tenant, "sched")  # type: ignore[arg-type]
    assert queued() == [REEMBED]


async def test_a_change_back_before_the_switch_leaves_no_trace(place: Lab) -> None:
    for n in range(2 * BATCH):
        await place.cube(f"memory {n}")
    await run(place, EMBED, Only("hash-32"))
    with pytest.raises(Killed):
        await run(place, REEMBED, Only("hash-48", batches=1))
    await run(place, REEMBED, Only("hash-32"))
    assert models(place) == {"hash-32": 2 * BATCH}
    assert scope(place)["next_embedder"] is None


async def test_the_switch_waits_for_whoever_is_writing(place: Lab) -> None:
    """Nothing is written between the last look and the switch: the scope's row is held from one to the other."""
    await place.cube("one")
    await run(place, EMBED, Only("hash-32"))
    scope_id = scope(place)["id"]
    async with place.database.unit_of_work(place.tenant) as work:
        await store.lock(work, scope_id)
        with pytest.raises(Exception, match="lock"):
            place.look("SELECT id FROM recall_scopes WHERE id = %s FOR UPDATE NOWAIT", scope_id)


async def test_kill_9_in_the_middle_loses_nothing(place: Lab) -> None:
    for n in range(4 * BATCH):
        await place.cube(f"memory {n}")
    await run(place, EMBED, Only("hash-32"))
    asked = [place.addresses.app, place.tenant, "hash-48", scope(place)["id"]]
    for kills in range(1, 3):
        worker = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "tests.memories.run_reembed", *asked, stdout=asyncio.subprocess.PIPE
        )
        assert worker.stdout is not None
        for _ in range(2):  # the first batch is stored when the second begins
            assert (await worker.stdout.readline()).strip() == b"batch"
        worker.kill()
        await worker.wait()
        assert models(place) == {"hash-32": 4 * BATCH, "hash-48": kills * BATCH}
    again = Only("hash-48")
    await run(place, REEMBED, again)
    assert sum(many for _, many in again.asked) == 2 * BATCH
    assert models(place) == {"hash-48": 4 * BATCH}


async def test_a_search_uses_one_model_from_end_to_end(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    for n in range(2 * BATCH):
        await place.cube(f"memory number {n}")
    await run(place, EMBED, Only("hash-32"))
    recall = RecallService(place.database, Only("hash-48"), settings_for(place.addresses, Path("unused")))  # type: ignore[arg-type]
    seen: list[tuple[int | None, set[int]]] = []
    search = RecallIndex.search

    def noted(self: RecallIndex, asked: Asked, *rest: Any) -> list[Hit]:
        hits = search(self, asked, *rest)
        sizes = {len(hit.item.vector) for hit in hits if hit.item.vector is not None}
        seen.append((None if asked.vector is None else len(asked.vector), sizes))
        return hits

    monkeypatch.setattr(RecallIndex, "search", noted)

    async def searching() -> None:
        asked = Asked(text="memory number 7", top_k=5)
        found = await recall.search(place.tenant, user_id="ada", agent_id=None, asked=asked, count=False)
        assert found.embedded
        assert len(found.hits) == 5

    async def always() -> None:
        while True:
            await searching()

    await searching()
    beside = asyncio.create_task(always())
    await run(place, REEMBED, Only("hash-48", before=searching))
    beside.cancel()
    await asyncio.gather(beside, return_exceptions=True)
    await searching()
    await recall.stop()
    asked_by = [size for size, _ in seen]
    assert (asked_by[0], asked_by[-1]) == (32, 48)
    assert asked_by == sorted(asked_by, key=lambda size: size or 0), "once switched, always the new one"
    assert all(sizes <= {size} for size, sizes in seen), seen
