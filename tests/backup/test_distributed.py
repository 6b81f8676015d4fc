"""Of the distributed placement a backup holds the database and the payloads, and says what it does not hold."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from memos.backup import folder as backups
from memos.backup import ledger
from memos.backup.folder import LEDGER
from memos.embedded import backup as module
from memos.embedded.backup import backup
from memos.embedded.restore import restore
from memos.kit.ids import new_id
from tests.api.talk import eventually, look, say, settled
from tests.backup.conftest import QUIET, settings
from tests.embedded.harness import folder
from tests.support.live import Live, serve
from tests.support.postgres import Cluster


@pytest.fixture(scope="module")
def live(postgres_cluster: Cluster) -> Iterator[Live]:
    """One of these tests' own: others damage payloads of the shared one, which a backup rightly refuses."""
    with serve(postgres_cluster.database()) as service:
        yield service


def test_it_says_what_it_does_not_cover(live: Live, tmp_path: Path) -> None:
    with live.client() as client:
        settled(client, _spoken(live))
    changes = {"database_admin_url": live.database.admin, "blob_url": (live.data_dir / "blobs").as_uri()}
    told = backup(live.settings.model_copy(update=changes), tmp_path / "made", QUIET)
    manifest = backups.opened(tmp_path / "made")
    assert (told["placement"], manifest.placement) == ("distributed", "distributed")
    assert any("MEMOS_SECRET" in part for part in told["not_covered"])
    assert any("Redis" in part for part in told["not_covered"])
    assert not (tmp_path / "made" / "secret").exists()
    named = {payload.id for payload in backups.payloads_in(tmp_path / "made")}
    held = look(live, "SELECT DISTINCT blob_id FROM memcube_versions WHERE blob_id IS NOT NULL")
    assert named == {row["blob_id"] for row in held}
    assert told["payload_bytes"] == sum(payload.bytes for payload in backups.payloads_in(tmp_path / "made"))


@pytest.mark.timeout(240)
def test_it_is_restored_into_a_data_directory(live: Live) -> None:
    with folder() as place:
        with live.client() as client:
            settled(client, _spoken(live))
        changes = {"database_admin_url": live.database.admin, "blob_url": (live.data_dir / "blobs").as_uri()}
        backup(live.settings.model_copy(update=changes), place / "made", QUIET)
        told = restore(settings(place / "data"), place / "made", QUIET)
        versions = look(live, "SELECT count(*) AS n FROM memcube_versions")
        assert told["versions_checked"] == versions[0]["n"]
        assert "MEMOS_SECRET" in told["notes"][0]


def _spoken(live: Live) -> str:
    with live.client() as client:
        began = live.conversation(client)
        say(client, began, "hello")
    return began


def test_rows_are_of_one_moment_and_payloads_are_copied_after_it(
    live: Live, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Turns are taken between the snapshot and the copying: they are not in it, and what is in it is all there."""
    before = {row["id"] for row in look(live, "SELECT id FROM memcube_versions")}
    dump = module._dump

    def slow(*arguments: object) -> None:
        with live.client() as client:
            settled(client, _spoken(live))
        dump(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(module, "_dump", slow)
    changes = {"database_admin_url": live.database.admin, "blob_url": (live.data_dir / "blobs").as_uri()}
    backup(live.settings.model_copy(update=changes), tmp_path / "made", QUIET)
    named = {payload.id for payload in backups.payloads_in(tmp_path / "made")}
    rows = look(live, "SELECT id, blob_id FROM memcube_versions WHERE blob_id IS NOT NULL")
    later = {row["blob_id"] for row in rows if row["id"] not in before}
    assert len(later) >= 1
    assert named == {row["blob_id"] for row in rows if row["id"] in before}


def test_a_running_service_keeps_the_ledger_beside_its_backups(postgres_cluster: Cluster, tmp_path: Path) -> None:
    """Within a minute; here, a second. A folder that is away is no reason to fail, and is served when it is back."""
    changes = {"schedule_poll_s": 0.2, "schedule_every_s": {"erasure_ledger": 0.5}}
    with serve(postgres_cluster.database(), **changes) as live, live.client() as client:
        beside, away = tmp_path / "beside", tmp_path / "away"
        beside.mkdir()
        for kept in (beside, away):
            ledger.remember_place(live.data_dir, kept)
        assert ledger.places(live.data_dir) == [away, beside]
        began = live.conversation(client, "walter")
        settled(client, began)
        asked = client.post("/v1/erasures", json={"conversation_id": began}).json()["id"]
        eventually(lambda: [entry["id"] for entry in ledger.read(beside / LEDGER)] == [asked], 30)
        away.mkdir()
        eventually(lambda: [entry["id"] for entry in ledger.read(away / LEDGER)] == [asked], 30)
        assert "walter" not in (beside / LEDGER).read_text()
        failed = "SELECT id FROM outbox WHERE task = 'keep_ledger' AND status = 'failed'"
        assert look(live, failed) == []


def test_a_ledger_only_grows(tmp_path: Path) -> None:
    path = tmp_path / LEDGER
    first, second = ({"id": new_id("erase"), "tenant_id": new_id("ten")} for _ in range(2))
    assert ledger.keep(path, []) == 0
    assert ledger.keep(path, [first]) == 1
    assert ledger.keep(path, [second, first]) == 2
    assert ledger.keep(path, []) == 2
    assert ledger.read(path) == sorted([first, second], key=lambda entry: entry["id"])
    path.write_text(path.read_text()[:-10])
    with pytest.raises(backups.BackupRefused):
        ledger.read(path)
