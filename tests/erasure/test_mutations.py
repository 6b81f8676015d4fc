"""The mutation list: each part of an erasure is left out once, by a patch or in the schema, and the hunt finds what
that part would have taken, or the erasure does not come to sign a receipt. As it is, the hunt finds nothing.

Every case has a tenant and a mark of its own in one service, so that what one leaves behind is not found by another.
"""

from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from memos.cubes.versions import blob_key
from memos.erasure.physical import store as physical
from memos.erasure.quotes import Quotes
from memos.erasure.stores import store
from memos.erasure.stores.blobs import BlobStore
from memos.erasure.stores.conversations import TitleStore
from memos.erasure.stores.embeddings import EmbeddingStore
from memos.erasure.stores.episodes import EpisodeStore
from memos.erasure.stores.keys import KeyStore
from memos.generation.state_cache import StateCache
from memos.kit.ids import new_id
from memos.memories.service import RecallService
from tests.api.talk import eventually, look, post
from tests.erasure.hunt import Found, in_files, in_sql, vectors
from tests.erasure.scene import Scene, Told, embedded, indexed
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

Patch = pytest.MonkeyPatch
Mutate = Callable[[Patch, Live], None]


@dataclass(frozen=True)
class Mutation:
    """`caught_by`: where something is found, or `not signed`; any of them is enough. `rewrites`: with the physical
    stage."""

    mutate: Mutate
    caught_by: frozenset[str]
    rewrites: bool


MUTATIONS: dict[str, Mutation] = {}


def mutation(*caught_by: str, rewrites: bool = False) -> Callable[[Mutate], Mutate]:
    def add(mutate: Mutate) -> Mutate:
        MUTATIONS[mutate.__name__] = Mutation(mutate, frozenset(caught_by), rewrites)
        return mutate

    return add


async def nothing_reached(*arguments: Any) -> AsyncIterator[Any]:
    nothing_at_all: list[Any] = []
    for item in nothing_at_all:
        yield item


async def nothing(*arguments: Any, **named: Any) -> Any:
    return []


@mutation("dump")
def stored_answers_are_forgotten(patch: Patch, service: Live) -> None:
    patch.setattr(KeyStore, "reach", nothing_reached)


@mutation("dump")
def quoting_answers_are_kept(patch: Patch, service: Live) -> None:
    patch.setattr(Quotes, "found", lambda *arguments: [])


@mutation("dump", "blobs")
def what_came_of_a_state_is_kept(patch: Patch, service: Live) -> None:
    patch.setattr(store, "came_of", nothing)


@mutation("blobs", "not signed")
def objects_are_kept(patch: Patch, service: Live) -> None:
    patch.setattr(BlobStore, "_delete", lambda *arguments: None)


@mutation("blobs")
def objects_of_no_version_are_kept(patch: Patch, service: Live) -> None:
    patch.setattr(store, "orphans", nothing)


@mutation("dump")
def a_copied_title_is_kept(patch: Patch, service: Live) -> None:
    patch.setattr(TitleStore, "reach", nothing_reached)


@mutation("not signed", "dump")
def written_words_are_kept(patch: Patch, service: Live) -> None:
    """The schema refuses it: a tombstone holds nothing."""
    patch.setattr(store, "_BURY_VERSIONS", text(str(store._BURY_VERSIONS).replace(", written = NULL", "")))


@mutation("not signed", "dump")
def inputs_are_kept(patch: Patch, service: Live) -> None:
    patch.setattr(store, "_ERASE_TURNS", text(str(store._ERASE_TURNS).replace("input = '',", "")))


@mutation("cache")
def states_stay_in_memory(patch: Patch, service: Live) -> None:
    patch.setattr(StateCache, "forget", lambda *arguments: 0)


@mutation("dump")
def episodes_are_kept(patch: Patch, service: Live) -> None:
    patch.setattr(EpisodeStore, "reach", nothing_reached)


@mutation("dump")
def vectors_are_kept(patch: Patch, service: Live) -> None:
    patch.setattr(EmbeddingStore, "reach", nothing_reached)


@mutation("index")
def indexes_stay_in_memory(patch: Patch, service: Live) -> None:
    patch.setattr(RecallService, "forget", lambda *arguments: None)


@mutation("tables", rewrites=True)
def tables_are_not_rewritten(patch: Patch, service: Live) -> None:
    patch.setattr(physical, "rewrite", nothing)


@mutation("log of changes", rewrites=True)
def old_log_is_left(patch: Patch, service: Live) -> None:
    async def none_left(*arguments: Any) -> int:
        return 0

    patch.setattr(physical, "leave_segment", nothing)
    patch.setattr(physical, "segments_up_to", none_left)


@mutation("samples", rewrites=True)
def samples_are_left(patch: Patch, service: Live) -> None:
    look(service, "ALTER TABLE turns ALTER input SET STATISTICS 100")
    patch.setattr(physical, "forget_samples", nothing)


@pytest.fixture(scope="module")
def services(own_cluster: Cluster, module_telling: None) -> Iterator[dict[bool, Live]]:
    """With and without the physical stage. A job that fails once is failed."""
    settings = {"job_max_attempts": 1}
    plain, rewriting = own_cluster.database(), own_cluster.database()
    with serve(plain, **settings) as one, serve(rewriting, database_admin_url=rewriting.admin, **settings) as other:
        yield {False: one, True: other}


def _left(service: Live, cluster: Cluster, mark: str, *, rewrites: bool) -> set[str]:
    """Erases a fork's parent, and a turn of another conversation; where something of either is found afterwards."""
    with service.client() as operator:
        key = post(operator, "/v1/tenants", {"name": "a case"}).json()["admin_key"]["key"]
    with service.client(key) as client:
        scene = Scene(client, 7, facts=3, mark=mark)
        whole, parts = scene.converse(whole=True, fork=True), scene.converse()
        _orphan(service, parts, mark)
        look(service, "ANALYZE turns")
        cached = _hashes(service, [whole, *whole.forks])
        embedded(service)
        gone = vectors(service.database.admin, mark)
        assert gone
        assert indexed(service, mark)
        # One that does not come to its end keeps the next one waiting.
        signed = all(_signed(client, erasure) for told in (whole, parts) for erasure in scene.erase(told))
        found = in_sql(Found(gone), service.database.admin, mark)
        look(service, "CHECKPOINT")
        in_files(found, [service.data_dir, *([cluster.server.cluster] if rewrites else [])], mark)
        held = set(service.app.state.runtime.generator._cache._entries)
        unseen = {"cache": held & cached, "index": indexed(service, mark), "not signed": not signed}
        return found.stores() | {name for name, is_so in unseen.items() if is_so}


def _signed(client: Any, erasure_id: str) -> bool:
    def ended() -> dict[str, Any]:
        found: dict[str, Any] = client.get(f"/v1/erasures/{erasure_id}").json()
        return found if found["status"] in ("done", "failed") else {}

    return bool(eventually(ended, 60)["status"] == "done")


def _orphan(service: Live, told: Told, mark: str) -> None:
    """What a computation leaves that came to nothing: an object that no version refers to."""
    blob = new_id("blob")
    look(service, "INSERT INTO blobs (tenant_id, id, conversation_id) SELECT tenant_id, %s, id FROM conversations "
         "WHERE id = %s", blob, told.id)  # fmt: skip
    path = service.data_dir / "blobs" / blob_key(blob)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{mark}orphan")


def _hashes(service: Live, tolds: list[Told]) -> set[str]:
    ids = [told.id for told in tolds]
    rows = look(service, "SELECT payload_sha256 FROM memcube_versions WHERE conversation_id = ANY(%s) "
                "AND payload = 'blob'", ids)  # fmt: skip
    return {row["payload_sha256"] for row in rows}


@pytest.mark.parametrize("rewrites", [False, True], ids=["logical", "physical"])
def test_as_it_is_nothing_is_found(services: dict[bool, Live], own_cluster: Cluster, rewrites: bool) -> None:
    assert _left(services[rewrites], own_cluster, "vexqa" if rewrites else "vexqb", rewrites=rewrites) == set()


@pytest.mark.parametrize("name", list(MUTATIONS))
def test_a_mutation_is_caught(
    name: str, services: dict[bool, Live], own_cluster: Cluster, monkeypatch: Patch, tmp_path: Path
) -> None:
    wanted = MUTATIONS[name]
    service = services[wanted.rewrites]
    wanted.mutate(monkeypatch, service)
    mark = f"vexq{'cdefghijklmnoprstu'[list(MUTATIONS).index(name)]}"
    found = _left(service, own_cluster, mark, rewrites=wanted.rewrites)
    assert found & wanted.caught_by, f"{name} went unnoticed by {set(wanted.caught_by)}; noticed were {found}"
