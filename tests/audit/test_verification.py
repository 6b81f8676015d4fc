"""Whatever a superuser of the database does to the log is named by its verification."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from memos.audit.sequencer import AuditChainCut, Head
from memos.audit.store import row_of
from memos.kernel.audit import link_hash
from memos.kernel.canonical import canonical_json
from memos.kit.ids import new_id
from tests.audit.log import Log, new_log
from tests.support.postgres import Addresses

ROWS = 8
Tamper = Callable[["psycopg.Connection[Any]", list[dict[str, Any]]], None]


def _changed(su: "psycopg.Connection[Any]", links: list[dict[str, Any]]) -> None:
    su.execute("UPDATE audit_log SET by = 'key_of_somebody_else' WHERE id = %s", [links[4]["audit_id"]])


def _details(su: "psycopg.Connection[Any]", links: list[dict[str, Any]]) -> None:
    su.execute("UPDATE audit_log SET details = details || '{\"n\": 2}' WHERE id = %s", [links[4]["audit_id"]])


def _row_gone(su: "psycopg.Connection[Any]", links: list[dict[str, Any]]) -> None:
    su.execute("DELETE FROM audit_log WHERE id = %s", [links[4]["audit_id"]])


def _both_gone(su: "psycopg.Connection[Any]", links: list[dict[str, Any]]) -> None:
    _row_gone(su, links)
    su.execute("DELETE FROM audit_chain WHERE audit_id = %s", [links[4]["audit_id"]])


def _rows_swapped(su: "psycopg.Connection[Any]", links: list[dict[str, Any]]) -> None:
    first, second = links[4]["audit_id"], links[6]["audit_id"]
    for old, new in ((first, "audit_swap"), (second, first), ("audit_swap", second)):
        su.execute("UPDATE audit_log SET id = %s WHERE id = %s", [new, old])


def _links_swapped(su: "psycopg.Connection[Any]", links: list[dict[str, Any]]) -> None:
    tenant = links[0]["tenant_id"]
    for old, new in ((5, 99), (7, 5), (99, 7)):
        su.execute("UPDATE audit_chain SET seq = %s WHERE tenant_id = %s AND seq = %s", [new, tenant, old])


def _tail_cut(su: "psycopg.Connection[Any]", links: list[dict[str, Any]]) -> None:
    gone = [link["audit_id"] for link in links[4:]]
    su.execute("DELETE FROM audit_chain WHERE audit_id = ANY(%s)", [gone])
    su.execute("DELETE FROM audit_log WHERE id = ANY(%s)", [gone])


def _all_gone(su: "psycopg.Connection[Any]", links: list[dict[str, Any]]) -> None:
    _tail_cut(su, links)
    gone = [link["audit_id"] for link in links[:4]]
    su.execute("DELETE FROM audit_chain WHERE audit_id = ANY(%s)", [gone])
    su.execute("DELETE FROM audit_log WHERE id = ANY(%s)", [gone])


TAMPERS: dict[str, tuple[Tamper, int, str]] = {
    "a row is changed": (_changed, 5, "is not what it was"),
    "a row's details are changed": (_details, 5, "is not what it was"),
    "a row is removed": (_row_gone, 5, "is gone"),
    "a row and its link are removed": (_both_gone, 5, "link 5 is gone"),
    "two rows are swapped": (_rows_swapped, 5, "is not what it was"),
    "two links are swapped": (_links_swapped, 5, "does not follow"),
    "the tail is cut": (_tail_cut, 5, "its end was cut"),
    "everything is removed": (_all_gone, 1, "its end was cut"),
}


@pytest.fixture
def whole(log: Log) -> Log:
    log.note(*(new_id("cube") for _ in range(ROWS)))
    log.chain()
    return log


def test_a_whole_chain_verifies(whole: Log) -> None:
    found = whole.verify()
    assert (found.ok, found.complete, found.checked, found.broken) == (True, True, ROWS, None)
    assert found.head is not None
    assert found.head == found.witnessed
    assert found.unchained is not None
    assert found.unchained.count == 0
    whole.note(new_id("cube"), new_id("cube"))
    told = whole.verify()
    assert told.unchained is not None
    assert (told.ok, told.unchained.count) == (True, 2)
    assert told.unchained.oldest_at is not None


@pytest.mark.parametrize(("tamper", "seq", "what"), TAMPERS.values(), ids=TAMPERS)
def test_tampering_is_named_at_its_first_place(whole: Log, tamper: Tamper, seq: int, what: str) -> None:
    with whole.superuser() as su:
        tamper(su, whole.links())
    found = whole.verify()
    assert not found.ok
    assert found.broken is not None
    assert found.broken.seq == seq
    assert what in found.broken.what


def test_links_that_were_cut_off_and_chained_again_are_as_they_were(whole: Log) -> None:
    """Their rows are still there: nothing is lost, and a cut that leaves no trace has taken nothing."""
    before = whole.links()
    with whole.superuser() as su:
        su.execute("DELETE FROM audit_chain WHERE tenant_id = %s AND seq > 4", [whole.tenant_id])
    assert not whole.verify().ok
    with pytest.raises(AuditChainCut):
        whole.chain()
    assert whole.links() == before[:4]


def test_nothing_is_chained_over_a_cut(whole: Log) -> None:
    """Else the noted head would move on, and with it the only witness of the cut."""
    with whole.superuser() as su:
        _tail_cut(su, whole.links())
    whole.note(new_id("cube"))
    with pytest.raises(AuditChainCut, match="link 8"):
        whole.chain()
    assert not whole.verify().ok


def test_a_chain_that_was_written_anew_is_another_one(whole: Log) -> None:
    """A superuser who computes every hash again has a whole chain, and another head than the one noted outside."""
    with whole.superuser() as su:
        links = whole.links()
        _changed(su, links)
        su.execute("DELETE FROM audit_chain WHERE tenant_id = %s AND seq >= 5", [whole.tenant_id])
    noted = Path(str(whole.blobs._folder)) / "audit" / f"{whole.tenant_id}.json"
    kept = noted.read_bytes()
    noted.unlink()
    whole.chain()  # hashes as the service would make them
    noted.write_bytes(kept)
    found = whole.verify()
    assert found.broken is not None
    assert "rewritten" in found.broken.what


def test_a_noted_head_that_we_did_not_sign_is_refused(whole: Log) -> None:
    with whole.superuser() as su:
        _tail_cut(su, whole.links())
    (last,) = whole.links()[-1:]
    forged = canonical_json([last["seq"], last["hash"], "0" * 64])
    whole.blobs.put(f"audit/{whole.tenant_id}.json", forged)
    found = whole.verify()
    assert found.broken is not None
    assert "not signed by us" in found.broken.what
    with pytest.raises(AuditChainCut):
        whole.chain()


def test_the_noted_head_of_another_tenant_is_none_of_ours(
    whole: Log, audit_database: Addresses, tmp_path: Path
) -> None:
    other = new_log(audit_database, tmp_path)
    body = whole.blobs.read(f"audit/{whole.tenant_id}.json")
    assert body is not None
    whole.blobs.put(f"audit/{other.tenant_id}.json", body)
    assert not other.verify().ok


def test_a_walk_goes_on_from_a_head_that_was_kept(whole: Log) -> None:
    first = whole.verify(most=3)
    assert (first.ok, first.complete, first.checked, first.unchained) == (True, False, 3, None)
    assert first.head is not None
    rest = whole.verify(after=Head(first.head.seq, first.head.hash))
    assert (rest.ok, rest.complete, rest.checked) == (True, True, ROWS - 3)
    wrong = whole.verify(after=Head(first.head.seq, "0" * 64))
    assert wrong.broken is not None
    assert (wrong.broken.seq, wrong.checked) == (3, 0)
    beyond = whole.verify(after=Head(99, first.head.hash))
    assert beyond.broken is not None
    assert "it is gone" in beyond.broken.what


def test_a_link_is_hashed_as_the_document_says(whole: Log) -> None:
    """H(previous, seq, row) over canonical JSON, computed here from nothing but the tables."""
    links = whole.links()
    with whole.superuser() as su:
        rows = {row["id"]: row for row in su.execute("SELECT * FROM audit_log").fetchall()}
    assert links[3]["hash"] == link_hash(links[2]["hash"], 4, row_of(rows[links[3]["audit_id"]]))
