"""A backup of a service that is being used comes back whole, or is refused by the name of what is wrong with it."""

import json
import shutil
import threading
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from memos.backup.folder import BackupRefused
from memos.cli.main import app
from memos.embedded.backup import DestinationTaken, NoService, backup
from memos.embedded.datadir import DataDirectory
from memos.embedded.restore import DirectoryTaken, RestoreFailed, restore
from memos.kernel.version import broken_links
from memos.kit.blobs import BlobMissing
from tests.api.talk import chain, eventually, held, of, say, settled, turns
from tests.backup.conftest import QUIET, Served, served, settings

BOUND_S = 120


def leftovers(place: Path) -> list[str]:
    return [path.name for path in place.iterdir() if "restoring" in path.name]


@pytest.mark.timeout(240)
def test_a_service_in_use_comes_back_whole(service: Served, place: Path) -> None:
    """Turns go on all the while. What was acknowledged before the backup began is in it, every chain is whole, every
    key works, and conversations go on from their state."""
    with service.client() as client:
        began = service.conversation(client, "one", "two", "three")
        settled(client, began)
        client.post(f"/v1/conversations/{began}/rollback", json={"to_turn": 2}).raise_for_status()
        stop = threading.Event()
        said: list[str] = []

        def talk() -> None:
            with service.client() as other:
                while not stop.is_set():
                    said.append(service.conversation(other, "meanwhile", "and on"))

        talkers = [threading.Thread(target=talk) for _ in range(2)]
        for talker in talkers:
            talker.start()
        try:
            eventually(lambda: len(said) > 4, 60)
            before = list(said)
            runner = CliRunner()
            made = runner.invoke(app, ["backup", str(place / "first"), "--data-dir", str(service.data_dir), "--json"])
        finally:
            stop.set()
            for talker in talkers:
                talker.join()
    assert made.exit_code == 0, made.stderr
    told = json.loads(made.stdout)
    assert told["placement"] == "embedded"
    assert told["bytes"] == sum(path.stat().st_size for path in (place / "first").rglob("*") if path.is_file()) - (
        (place / "first" / "manifest.json").stat().st_size
    )
    assert {path.stat().st_mode & 0o077 for path in [place / "first", *(place / "first").iterdir()]} == {0}
    put = runner.invoke(app, ["restore", str(place / "first"), "--data-dir", str(place / "again"), "--json"])
    assert put.exit_code == 0, put.stderr
    restored = json.loads(put.stdout)
    assert restored["versions_checked"] >= 6
    assert restored["payloads"] == told["payloads"]
    with served(place / "again") as second, second.client() as client:
        assert second.key == service.key
        assert held(say(client, began, "four")["output"]) == of("one", "two")
        for conversation in before:
            assert [turn["input"] for turn in turns(client, conversation)] == ["meanwhile", "and on"]
        last = before[-1]
        assert held(say(client, last, "anew")["output"]) == of("meanwhile", "and on")
        view = settled(client, last)
        assert broken_links(chain(client, view["state_cube_id"])) == []
    # Its service is stopped: it can be backed up all the same, and is free again afterwards.
    asleep = backup(settings(place / "again"), place / "asleep", QUIET)
    assert asleep["payloads"] > told["payloads"]
    with DataDirectory(place / "again"):
        assert (place / "asleep" / "manifest.json").exists()


def test_nothing_is_written_over(service: Served, place: Path) -> None:
    with pytest.raises(DirectoryTaken) as living:
        restore(settings(service.data_dir), place / "whatever", QUIET)
    assert service.url in living.value.message
    (place / "notes").mkdir(exist_ok=True)
    (place / "notes" / "a.txt").write_text("mine")
    with pytest.raises(DirectoryTaken):
        restore(settings(place / "notes"), place / "whatever", QUIET)
    with pytest.raises(DestinationTaken):
        backup(settings(service.data_dir), place / "notes", QUIET)
    with pytest.raises(NoService):
        backup(settings(place / "notes"), place / "nothing", QUIET)
    assert (place / "notes" / "a.txt").read_text() == "mine"
    assert not (place / "nothing").exists()


@pytest.fixture(scope="module")
def made(service: Served, place: Path) -> Path:
    with service.client() as client:
        settled(client, service.conversation(client, "for the record"))
    backup(settings(service.data_dir), place / "made", QUIET)
    return place / "made"


def _flip(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[len(body) // 2] ^= 1
    path.write_bytes(bytes(body))


@pytest.mark.parametrize(
    "name", ["database.dump", "payloads.jsonl", "secret", "admin.key", "manifest.json", "erasures.jsonl"]
)
@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_backup_is_refused_by_name(made: Path, place: Path, name: str, damage: str) -> None:
    copy = place / f"copy-{name}-{damage}"
    shutil.copytree(made, copy)
    if damage == "gone":
        (copy / name).unlink()
    elif (copy / name).stat().st_size:
        _flip(copy / name)
    else:
        (copy / name).write_text("{}\n")
    with pytest.raises(BackupRefused) as refused:
        restore(settings(place / "not-made"), copy, QUIET)
    assert name in refused.value.message
    assert not (place / "not-made").exists()
    assert leftovers(place) == []
    shutil.rmtree(copy)


@pytest.mark.parametrize("damage", ["changed", "gone"])
def test_a_damaged_payload_is_refused_by_name(made: Path, place: Path, damage: str) -> None:
    copy = place / f"copy-payload-{damage}"
    shutil.copytree(made, copy)
    path = next(path for path in sorted((copy / "payloads").rglob("*")) if path.is_file())
    path.unlink() if damage == "gone" else _flip(path)
    with pytest.raises(BackupRefused) as refused:
        restore(settings(place / "not-made"), copy, QUIET)
    assert path.name in refused.value.message
    assert leftovers(place) == []
    assert not (place / "not-made").exists()
    shutil.rmtree(copy)


def test_a_payload_that_the_store_lost_stops_the_backup(service: Served, place: Path) -> None:
    """And what there is of it has another name, so that nobody takes it for a backup."""
    with service.client() as client:
        settled(client, service.conversation(client, "to be lost"))
    (row,) = service.sql("SELECT blob_id FROM memcube_versions WHERE blob_id IS NOT NULL ORDER BY id DESC LIMIT 1")
    path = service.data_dir / "blobs" / row[0][-2:] / row[0]
    whole = path.read_bytes()
    path.unlink()
    with pytest.raises(BlobMissing):
        backup(settings(service.data_dir), place / "lost", QUIET)
    assert not (place / "lost").exists()
    assert (place / "lost.partial").is_dir()
    path.write_bytes(whole)
    backup(settings(service.data_dir), place / "lost", QUIET)
    assert not (place / "lost.partial").exists()


@pytest.mark.timeout(240)
def test_a_broken_chain_is_found_before_anything_is_put_in_place(service: Served, place: Path) -> None:
    with service.client() as client:
        cube = settled(client, service.conversation(client, "to be broken"))["state_cube_id"]
    service.sql("UPDATE memcube_versions SET created_by = 'x' || created_by WHERE cube_id = %s AND number = 1", cube)
    try:
        backup(settings(service.data_dir), place / "broken", QUIET)
    finally:
        service.sql(
            "UPDATE memcube_versions SET created_by = substr(created_by, 2) WHERE cube_id = %s AND number = 1", cube
        )
    with pytest.raises(RestoreFailed) as refused:
        restore(settings(place / "not-made"), place / "broken", QUIET)
    assert cube in refused.value.message
    assert not (place / "not-made").exists()
    assert leftovers(place) == []


@pytest.mark.timeout(300)
def test_what_was_erased_after_the_backup_does_not_come_back(service: Served, place: Path) -> None:
    """The backup is older than the erasure. The ledger beside it, kept by the running service, is not."""
    with service.client() as client:
        secret = service.conversation(client, "the walrus is purple", "yes, purple", user="walter")
        kept = service.conversation(client, "the oyster is grey", user="olga")
        for conversation in (secret, kept):
            settled(client, conversation)
        (place / "kept").mkdir()
        backup(settings(service.data_dir), place / "kept" / "older", QUIET)
        asked = client.post("/v1/erasures", json={"user_id": "walter"})
        assert asked.status_code == 202, asked.text
        erasure = asked.json()["id"]
        eventually(lambda: client.get(f"/v1/erasures/{erasure}").json()["status"] == "done", BOUND_S)
    ledger = place / "kept" / "erasures.jsonl"
    eventually(lambda: erasure in ledger.read_text(), 60)
    assert "walter" not in ledger.read_text()
    assert "walrus" not in ledger.read_text()
    told = restore(settings(place / "later"), place / "kept" / "older", QUIET)
    assert told["erasures_to_repeat"] >= 1
    assert (place / "later" / "erase-again.jsonl").exists()
    with served(place / "later") as second, second.client() as client:
        # From its first answer on.
        assert [t["input"] for t in _turns(client, secret) if t["input"]] == []
        assert "walrus" not in json.dumps(second.sql("SELECT input, output FROM turns"))
        assert second.sql("SELECT count(*) FROM memcube_versions WHERE conversation_id = %s AND payload = 'blob'",
                          secret) == [(0,)]  # fmt: skip
        assert [turn["input"] for turn in turns(client, kept)] == ["the oyster is grey"]
        assert not (place / "later" / "erase-again.jsonl").exists()


def _turns(client: Any, conversation: str) -> list[dict[str, Any]]:
    answer = client.get(f"/v1/conversations/{conversation}/turns")
    return list(answer.json()["items"]) if answer.status_code == 200 else []
