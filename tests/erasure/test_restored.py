"""Back up, erase, restore, hunt again: what was erased after the backup is in no byte of the restored service.

By real processes: `memos serve`, `memos backup`, `memos restore`. The ledger is written as the erasure takes hold; the
schedule that also keeps it is off.
"""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from memos.embedded.backup import backup
from memos.embedded.postgres import EmbeddedPostgres
from memos.embedded.restore import restore
from tests.api.talk import post, settled, turns
from tests.backup.conftest import QUIET, Served, served, settings
from tests.embedded.harness import folder
from tests.erasure.hunt import GONE, STAYS, Found, in_files, in_sql
from tests.erasure.scene import Scene

NO_SCHEDULE = {"MEMOS_SCHEDULE_EVERY_S": json.dumps({"erasure_ledger": 0})}


@pytest.fixture
def place() -> Iterator[Path]:
    with folder() as path:
        yield path


def hunted(service: Served, mark: str) -> Found:
    server = EmbeddedPostgres(service.data_dir / "postgres")
    server.attach()
    service.sql("CHECKPOINT")
    found = in_sql(Found(), server.admin_url, mark)
    in_files(found, [service.data_dir, server.cluster], mark)
    found.look("log", "log", (service.data_dir.parent / f"{service.data_dir.name}.out").read_bytes(), mark)
    return found


@pytest.mark.full
@pytest.mark.timeout(600)
def test_nothing_comes_back(place: Path) -> None:
    with served(place / "data", **NO_SCHEDULE) as service, service.client() as client:
        scene = Scene(client, 11, facts=4)
        told, kept = scene.converse(whole=True, user_goes=True), scene.converse(whole=True)
        kept_id = post(client, "/v1/conversations", {"user_id": scene.user(goes=False)}).json()["id"]
        post(client, f"/v1/conversations/{kept_id}/turns", {"input": scene.fact(goes=False)})
        settled(client, kept_id)
        assert hunted(service, GONE).total
        (place / "kept").mkdir()
        backup(settings(service.data_dir), place / "kept" / "older", QUIET)
        erasures = [*scene.erase(told), *scene.erase(kept)]
        for erasure in erasures:
            scene.ended(erasure, 200)
        found = hunted(service, GONE)
        assert found.total == 0, (found.counts, found.places)
    restore(settings(place / "later"), place / "kept" / "older", QUIET)
    assert (place / "later" / "erase-again.jsonl").read_text().count("erase_") >= len(erasures)
    with served(place / "later", **NO_SCHEDULE) as again, again.client() as client:
        for erasure in erasures:
            assert Scene(client, 11, facts=4).ended(erasure, 200)["receipt"]["physical"]["rewritten_tables"]
        found = hunted(again, GONE)
        assert found.total == 0, (found.counts, found.places)
        assert hunted(again, STAYS).total
        assert [turn["status"] for turn in turns(client, kept_id)] == ["applied"]
