"""The proof: what the hunt finds in every store before an erasure, it finds in none after it; and the states of what
goes on are those of a service that never heard it.
"""

from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from memos.kernel.version import broken_links
from tests.api.talk import chain, look, post, problem
from tests.erasure.hunt import GONE, STAYS, Found, in_files, in_sql, vectors
from tests.erasure.scene import Scene, control, embedded, indexed
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

SEED = 20261124


def hunted(service: Live, places: list[Path], gone: list[bytes], mark: str = GONE) -> Found:
    found = in_sql(Found(gone), service.database.admin, mark)
    look(service, "CHECKPOINT")
    return in_files(found, places, mark)


def sampled(service: Live) -> None:
    """What must not be: the planner is told to take samples of what is said, and takes them."""
    look(service, "ALTER TABLE turns ALTER input SET STATISTICS 100")
    look(service, "ANALYZE turns")


@pytest.fixture
def elsewhere(postgres_cluster: Cluster, telling: None) -> Iterator[Live]:
    """A service for tests that leave words behind: not in the cluster whose files are hunted through."""
    database = postgres_cluster.database()
    with serve(database, database_admin_url=database.admin) as live:
        yield live


@pytest.mark.timeout(240)
def test_nothing_is_left_and_what_goes_on_never_heard_it(
    own_cluster: Cluster, service: Live, places: list[Path], capfd: pytest.CaptureFixture[str]
) -> None:
    with service.client() as client:
        scene = Scene(client, SEED, facts=8)
        whole = scene.converse(whole=True, fork=True, user_goes=True)
        parts, forked = scene.converse(), scene.converse(fork=True)
        sampled(service)
        embedded(service)
        gone = vectors(service.database.admin, GONE)
        before = hunted(service, places, gone)
        assert before.stores() >= {"dump", "samples", "tables", "log of changes", "blobs"}, before.counts
        assert before.counts.keys() >= {"dump:vector", "tables:vector", "log of changes:vector"}, before.counts
        assert indexed(service, GONE)
        assert in_sql(Found(), service.database.admin, STAYS).total

        ended = [scene.ended(id) for told in (whole, parts, forked) for id in scene.erase(told)]

        after = hunted(service, places, gone)
        assert after.total == 0, (after.counts, sorted(after.places))
        assert not indexed(service, GONE)
        assert GONE not in "".join(capfd.readouterr()).lower()
        for told in (parts, forked, *forked.forks):
            cube = client.get(f"/v1/conversations/{told.id}").json()["state_cube_id"]
            assert broken_links(chain(client, cube)) == []
        for erasure in ended:
            assert erasure["receipt"]["physical"]["rewritten_tables"]
            checked = client.post("/v1/erasures/verify", json={"receipt": erasure["receipt"]}).json()
            assert checked["ok"], checked
        with serve(own_cluster.database()) as fresh, fresh.client() as other:
            for told in (parts, forked, *forked.forks):
                pairs = scene.left(told)
                assert len(pairs) >= 5
                assert scene.state(told) == control(other, pairs)
        problem(client.get(f"/v1/conversations/{whole.id}"), 404, "not_found")
        body = {"input": scene.fact(goes=False)}
        key = {"Idempotency-Key": f"said-{parts.id}-{scene.facts + 1}"}
        assert client.post(f"/v1/conversations/{parts.id}/turns", json=body, headers=key).status_code == 201


def test_a_key_whose_answer_was_erased_is_gone(elsewhere: Live) -> None:
    with elsewhere.client() as client:
        scene = Scene(client, SEED + 1, facts=3)
        told = scene.converse()
        first = next(
            turn for turn in client.get(f"/v1/conversations/{told.id}/turns").json()["items"] if turn["seq"] == 3
        )
        scene.ended(scene.ask({"turn_id": first["id"]}))
        headers = {"Idempotency-Key": f"said-{told.id}-3"}
        path = f"/v1/conversations/{told.id}/turns"
        problem(client.post(path, json={"input": first["input"]}, headers=headers), 410, "erased")
        problem(client.post(path, json={"input": "a guess"}, headers=headers), 410, "erased")


def test_a_receipt_that_was_changed_is_refused(elsewhere: Live) -> None:
    with elsewhere.client() as client:
        scene = Scene(client, SEED + 2, facts=3)
        told = scene.converse()
        receipt = scene.ended(scene.erase(told)[0])["receipt"]
        changed = {**receipt, "logical": {**receipt["logical"], "looked_at": 0}}
        checked = post(client, "/v1/erasures/verify", {"receipt": changed}).json()
        assert (checked["ok"], checked["signatures"]["logical"]) == (False, False)
        # And one that is ours, while something it names is there again.
        (version, *_) = look(elsewhere, "SELECT id FROM memcube_versions WHERE payload = 'erased' LIMIT 1")
        address = elsewhere.database.admin.replace("postgresql+psycopg", "postgresql")
        with psycopg.connect(address, autocommit=True) as connection:
            connection.execute("ALTER TABLE memcube_versions DISABLE TRIGGER versions_check")
            connection.execute(
                "UPDATE memcube_versions SET payload = 'text', content = 'back', erased_by = NULL, nonce = '', "
                "payload_sha256 = '' WHERE id = %s", [version["id"]],
            )  # fmt: skip
        checked = post(client, "/v1/erasures/verify", {"receipt": receipt}).json()
        assert checked["signatures"] == {"logical": True, "physical": True}
        assert (checked["ok"], checked["residue"]) == (False, [f"version {version['id']} still has a payload"])
