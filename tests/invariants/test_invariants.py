"""Each invariant finds nothing in a service that was used, and names what is planted: as the administrator, past every
trigger and key, one thing that no bug of ours may ever leave behind.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import httpx2
import psycopg
import pytest
from typer.testing import CliRunner

from memos.cli.main import app
from memos.cubes.versions import blob_key
from memos.invariants import chains, rows, store
from memos.invariants.blobs import NoOrphanBlobs
from memos.invariants.registry import INVARIANTS
from memos.invariants.store import REFERENCES
from memos.kit.blobs import Blobs
from memos.kit.ids import new_id
from memos.runtime import Runtime
from tests.api.talk import eventually, look, post, say
from tests.invariants.planting import found, mended, planted, states
from tests.support.evidence import connect
from tests.support.live import Live, serve, settings_for
from tests.support.postgres import Cluster


def test_nothing_is_wrong_with_a_service_that_was_used(client: httpx2.Client) -> None:
    eventually(lambda: all(s["checked_at"] for s in states(client).values()), 20)
    checked = states(client)
    assert {name: (s["findings"], s["error"]) for name, s in checked.items()} == dict.fromkeys(INVARIANTS, (0, None))
    schedules = {s["name"]: s for s in client.get("/v1/stats").json()["schedules"]}
    assert schedules["invariants"]["runs"] >= 1
    assert schedules["blobs"]["error"] is None


ROWS = {
    "unbroken_chains": (
        "UPDATE memcube_versions SET created_by = 'somebody' WHERE cube_id = %s AND number = 1",
        "UPDATE memcube_versions SET created_by = 'task:advance' WHERE cube_id = %s AND number = 1",
        "its hash does not match its contents",
    ),
    "unbroken_chains_payload": (
        "UPDATE memcube_versions SET payload_sha256 = repeat('ab', 32) WHERE cube_id = %s AND number = 2",
        "UPDATE memcube_versions v SET payload_sha256 = r.payload_sha256 FROM memcube_versions r "
        "WHERE v.cube_id = %s AND v.number = 2 AND r.cube_id = v.cube_id AND r.operation = 'rollback'",
        "not those it committed to",
    ),
    "head_is_newest": (
        "UPDATE memcubes SET head_number = 3, writes = 3, head_version_id = (SELECT id FROM memcube_versions "
        "WHERE cube_id = memcubes.id AND number = 3) WHERE id = %s",
        "UPDATE memcubes SET head_number = 4, writes = 4, head_version_id = (SELECT id FROM memcube_versions "
        "WHERE cube_id = memcubes.id AND number = 4) WHERE id = %s",
        "its head is version 3, its newest version is 4",
    ),
    "usage_counters": (
        "UPDATE memcubes SET writes = writes - 1 WHERE id = %s",
        "UPDATE memcubes SET writes = writes + 1 WHERE id = %s",
        "3 writes are counted and 4 were made",
    ),
    "usage_counters_reads": (
        "UPDATE memcubes SET reads = reads - 1 WHERE id = %s",
        "UPDATE memcubes SET reads = reads + 1 WHERE id = %s",
        "2 reads are counted and 3 are recorded",
    ),
    "lives_are_told": (
        "UPDATE memcubes SET lifecycle = 'archived' WHERE id = %s",
        "UPDATE memcubes SET lifecycle = 'activated' WHERE id = %s",
        "it is archived, and its last event made it activated",
    ),
    "lives_are_told_frozen": (
        "UPDATE memcubes SET frozen = true WHERE id = %s",
        "UPDATE memcubes SET frozen = false WHERE id = %s",
        "frozen is True, and its last event says False",
    ),
}


@pytest.mark.parametrize("plant", ROWS)
def test_a_planted_row_is_named(service: Live, client: httpx2.Client, cube: str, plant: str) -> None:
    name = next(known for known in INVARIANTS if plant.startswith(known))
    wrong, right, said = ROWS[plant]
    mended(client, name)
    planted(service, wrong, cube)
    assert said in found(client, name, cube)
    gauge = f'memos_invariant_findings{{invariant="{name}"}} 1.0'
    eventually(lambda: gauge in client.get("/metrics").text, 10)
    planted(service, right, cube)
    mended(client, name)


def test_the_doctor_names_what_is_wrong(service: Live, client: httpx2.Client, cube: str, tmp_path: Path) -> None:
    mended(client, "lives_are_told")
    assert _diagnosis(service, tmp_path)["invariants"]["status"] == "ok"
    planted(service, "UPDATE memcubes SET lifecycle = 'expired' WHERE id = %s", cube)
    found(client, "lives_are_told", cube)
    seen = _diagnosis(service, tmp_path)["invariant: lives_are_told"]
    planted(service, "UPDATE memcubes SET lifecycle = 'activated' WHERE id = %s", cube)
    assert (seen["status"], "it is expired" in seen["detail"], cube in seen["detail"]) == ("wrong", True, True)
    assert seen["mend"]
    mended(client, "lives_are_told")


def _diagnosis(live: Live, folder: Path) -> dict[str, dict[str, Any]]:
    told = CliRunner().invoke(
        app, ["doctor", "--json", "--url", live.url, "--key", live.key, "--data-dir", str(folder)]
    )
    return {check["component"]: check for check in json.loads(told.stdout)["checks"]}


def test_a_missing_and_a_cut_payload_are_named(service: Live, client: httpx2.Client, cube: str) -> None:
    (row,) = look(service, "SELECT id, blob_id FROM memcube_versions WHERE cube_id = %s AND number = 2", cube)
    path = service.data_dir / "blobs" / blob_key(row["blob_id"])
    whole = path.read_bytes()
    path.write_bytes(whole[:-1])
    assert f"{len(whole) - 1} bytes and should have {len(whole)}" in found(client, "no_blob_missing", row["blob_id"])
    path.unlink()
    eventually(lambda: "is not in the blob store" in found(client, "no_blob_missing", row["blob_id"]), 10)
    assert row["id"] in found(client, "no_blob_missing", row["blob_id"])
    path.write_bytes(whole)
    mended(client, "no_blob_missing")


def test_an_audit_row_that_was_changed_is_named(service: Live, client: httpx2.Client) -> None:
    post(client, "/v1/keys", {"name": "to be audited", "scopes": ["read"]})
    first = "SELECT c.audit_id, l.by FROM audit_chain c JOIN audit_log l ON l.id = c.audit_id WHERE c.seq = 1"
    eventually(lambda: look(service, first), 20)
    mended(client, "audit_chain")
    (row,) = look(service, first)
    planted(service, "UPDATE audit_log SET by = 'nobody' WHERE id = %s", row["audit_id"])
    assert "link 1: " in found(client, "audit_chain", row["audit_id"])
    planted(service, "UPDATE audit_log SET by = %s WHERE id = %s", row["by"], row["audit_id"])
    mended(client, "audit_chain")


def test_an_old_job_is_named(service: Live, client: httpx2.Client) -> None:
    job = new_id("job")
    planted(
        service,
        "INSERT INTO outbox (tenant_id, id, task, subject, available_at, created_at) "
        "SELECT id, %s, 'advance', 'nothing', now() + interval '1 day', now() - interval '1 hour' FROM tenants",
        job,
    )
    assert "advance is queued since 36" in found(client, "outbox_age", job)
    planted(service, "DELETE FROM outbox WHERE id = %s", job)
    mended(client, "outbox_age")


def test_a_payload_that_nothing_names_is_collected(service: Live, client: httpx2.Client) -> None:
    blob_id = new_id("blob")
    blobs = Blobs((service.data_dir / "blobs").as_uri())
    blobs.put(blob_key(blob_id), b"of a process that died before its commit")
    look(service, "INSERT INTO blobs (tenant_id, id) SELECT id, %s FROM tenants", blob_id)
    eventually(lambda: blobs.size_bytes(blob_key(blob_id)) is None, 20)
    eventually(lambda: look(service, "SELECT id FROM blob_deletions") == [], 20)
    assert look(service, "SELECT id FROM blobs WHERE id = %s", blob_id) == []
    assert states(client)["no_blob_missing"]["findings"] == 0, "nothing that is needed went with it"


def test_a_collector_that_died_in_between_is_finished_by_the_next(service: Live) -> None:
    blob_id = new_id("blob")
    blobs = Blobs((service.data_dir / "blobs").as_uri())
    blobs.put(blob_key(blob_id), b"its row is gone already")
    look(service, "INSERT INTO blob_deletions (tenant_id, id) SELECT id, %s FROM tenants", blob_id)
    eventually(lambda: blobs.size_bytes(blob_key(blob_id)) is None, 20)


def test_what_the_collector_left_and_what_nobody_knows_is_named(postgres_cluster: Cluster, tmp_path: Any) -> None:
    """Without a collector: a row that it should have removed long ago, and an object without a row."""
    with serve(postgres_cluster.database(), blob_grace_s=0.0) as live, live.client() as client:
        conversation = live.conversation(client)
        say(client, conversation, "hello")
        live.settled(client, conversation)
        row, stray = new_id("blob"), new_id("blob")[:-2] + "03"
        look(
            live,
            "INSERT INTO blobs (tenant_id, id, created_at) SELECT id, %s, now() - interval '1 week' FROM tenants",
            row,
        )
        blobs = Blobs((live.data_dir / "blobs").as_uri())
        blobs.put(blob_key(stray), b"whose?")
        (tenant,) = look(live, "SELECT id FROM tenants")
        runtime = Runtime(settings_for(live.database, live.data_dir, blob_grace_s=0.0))

        async def look_once() -> dict[str, str]:
            findings = await NoOrphanBlobs(runtime.tools).check(runtime.database.single(tenant["id"]))
            await runtime.database.aclose()
            return {finding.subject: finding.detail for finding in findings}

        named = asyncio.run(look_once())
    assert named.keys() == {row, stray}
    assert "belongs to nothing" in named[stray]


def test_the_young_are_left_alone(postgres_cluster: Cluster) -> None:
    """An upload under way: its row is there, and its version is yet to come."""
    changes = {"schedule_poll_s": 0.2, "schedule_every_s": {"blobs": 0.2, "invariants": 0.2}}
    with serve(postgres_cluster.database(), **changes) as live, live.client() as client:
        blob_id = new_id("blob")
        look(live, "INSERT INTO blobs (tenant_id, id) SELECT id, %s FROM tenants", blob_id)
        runs = "SELECT runs FROM schedules WHERE name = 'blobs' AND runs > 2"
        eventually(lambda: look(live, runs), 20)
        assert look(live, "SELECT id FROM blobs WHERE id = %s", blob_id) != []
        assert states(client)["no_orphan_blobs"]["findings"] == 0


def test_every_reference_to_a_payload_is_known_to_the_collector(service: Live) -> None:
    sql = """
        SELECT c.conrelid::regclass::text AS "table", a.attname AS "column" FROM pg_constraint c
        CROSS JOIN LATERAL unnest(c.conkey) AS key JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = key
        WHERE c.confrelid = 'blobs'::regclass AND c.contype = 'f' AND a.attname <> 'tenant_id'"""
    assert {(row["table"], row["column"]) for row in look(service, sql)} == set(REFERENCES)


def test_a_line_is_checked_once_and_then_again_in_its_turn(
    service: Live, client: httpx2.Client, cube: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Once checked, only what is new is read; and what was tampered with later is found when its turn comes."""
    (tenant,) = look(service, "SELECT id FROM tenants")
    runtime = Runtime(settings_for(service.database, service.data_dir))
    invariant = chains.UnbrokenChains(runtime.tools)

    async def run() -> None:
        work = runtime.database.single(tenant["id"])
        monkeypatch.setattr(chains, "AGAIN", 0)
        monkeypatch.setattr(chains, "ROWS", 2)  # each line takes several reads
        look(service, "TRUNCATE chain_marks")
        assert await invariant.check(work) == []
        assert look(service, "SELECT number FROM chain_marks WHERE cube_id = %s", cube) == [{"number": 4}]
        planted(service, "UPDATE memcube_versions SET epoch = 7 WHERE cube_id = %s AND number = 3", cube)
        assert await invariant.check(work) == [], "it was checked before"
        monkeypatch.setattr(chains, "AGAIN", 200)
        (finding,) = await invariant.check(work)
        assert (finding.subject, "does not match" in finding.detail) == (cube, True)
        assert look(service, "SELECT number FROM chain_marks WHERE cube_id = %s", cube) == [{"number": 2}]
        seen, everything = await chains.check_all(work)
        (others,) = look(service, "SELECT count(*) AS n FROM memcube_versions WHERE cube_id <> %s", cube)
        assert (seen - others["n"], [f.subject for f in everything]) == (4, [cube]), "beyond it nothing is read"

    async def mended_after() -> None:
        try:
            await run()
        finally:
            planted(service, "UPDATE memcube_versions SET epoch = 0 WHERE cube_id = %s AND number = 3", cube)
        assert await invariant.check(runtime.database.single(tenant["id"])) == []
        await runtime.database.aclose()

    asyncio.run(mended_after())
    mended(client, "unbroken_chains")  # the schedule may have met it meanwhile


def test_cubes_are_looked_at_in_parts(service: Live, client: httpx2.Client, monkeypatch: pytest.MonkeyPatch) -> None:
    """One cube at a time: each run the next, and what was found before until it is mended."""
    monkeypatch.setattr(rows, "PART", 1)
    (tenant,) = look(service, "SELECT id FROM tenants")
    cubes = [row["id"] for row in look(service, "SELECT id FROM memcubes ORDER BY id")]
    assert len(cubes) > 2
    runtime = Runtime(settings_for(service.database, service.data_dir))
    invariant = rows.UsageCounters(runtime.tools)
    remembered: list[str] = []

    async def before(*_: Any) -> list[str]:
        return remembered

    async def run() -> list[list[str]]:
        work = runtime.database.single(tenant["id"])
        # The schedule runs beside this; the place is this test's own.
        place = {"at": ""}

        async def at(*_: Any) -> str:
            return place["at"]

        async def put(_work: Any, _name: str, reached: str) -> None:
            place["at"] = reached

        monkeypatch.setattr(store, "place", at)
        monkeypatch.setattr(store, "set_place", put)
        monkeypatch.setattr(store, "found_before", before)
        seen = []
        for _ in range(4):
            remembered[:] = [finding.subject for finding in await invariant.check(work)]
            seen.append(list(remembered))
        await runtime.database.aclose()
        return seen

    planted(service, "UPDATE memcubes SET writes = writes + 7 WHERE id = %s", cubes[1])
    try:
        seen = asyncio.run(run())
    finally:
        planted(service, "UPDATE memcubes SET writes = writes - 7 WHERE id = %s", cubes[1])
    assert seen == [[], [cubes[1]], [cubes[1]], [cubes[1]]]
    mended(client, "usage_counters")


def test_one_that_cannot_look_says_so_and_keeps_no_other_from_it(service: Live, client: httpx2.Client) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Blobs, "size_bytes", _refuses)
        eventually(lambda: states(client)["no_blob_missing"]["error"] == "ZeroDivisionError", 20)
        before = states(client)["head_is_newest"]["checked_at"] or ""
        eventually(lambda: (states(client)["head_is_newest"]["checked_at"] or "") > before, 20)
    eventually(lambda: states(client)["no_blob_missing"]["error"] is None, 20)


def _refuses(*_: Any) -> int:
    raise ZeroDivisionError


def test_the_service_may_not_write_what_only_time_may(service: Live) -> None:
    """Marks and findings are the service's own; a schedule's past is not to be deleted."""
    with connect(service.database.admin) as connection:
        connection.execute("SET ROLE memos_app")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            connection.execute("DELETE FROM schedules")
