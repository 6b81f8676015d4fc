"""An archive that is not what it says it is, is refused by the name of the member, and nothing of it is written."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos.archives.format import Archive
from memos.archives.verify import made_by, verify
from memos.kit.errors import Invalid
from tests.api.talk import look, post, problem, say
from tests.archives.conftest import changed, edited, exported, forged, members, zipped
from tests.archives.test_golden import GOLDEN
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

TABLES = ("conversations", "memcubes", "memcube_versions", "turns", "lineage_edges", "cube_events", "blobs")
Rows = list[dict[str, Any]]
Change = Callable[[Rows], object]


@pytest.fixture(scope="module")
def archive(live: Live) -> bytes:
    with live.client() as client:
        began = live.conversation(client)
        for text in ("one", "two"):
            say(client, began, text)
        live.settled(client, began)
        post(client, f"/v1/conversations/{began}/rollback", {"to_turn": 1})
        return exported(client, conversation_id=began)


@pytest.fixture
def untouched(elsewhere: Live) -> Iterator[None]:
    def counts() -> list[dict[str, Any]]:
        return look(elsewhere, "SELECT " + ", ".join(f"(SELECT count(*) FROM {t}) {t}" for t in TABLES))

    before = counts()
    yield
    assert counts() == before


def refused(client: httpx2.Client, archive: bytes, code: str = "archive_tampered") -> dict[str, Any]:
    return problem(client.post("/v1/cubes/import", content=archive), 422, code)


@pytest.mark.usefixtures("untouched")
def test_every_member_that_was_changed_is_named(there: httpx2.Client, archive: bytes) -> None:
    names = [name for name, body in members(archive).items() if body]
    assert len(names) >= 8
    for name in names:

        def flip(parts: dict[str, bytes], name: str = name) -> None:
            body = bytearray(parts[name])
            body[len(body) // 2] ^= 0x20
            parts[name] = bytes(body)

        told = refused(there, changed(archive, flip))
        assert told["context"]["member"] == name
        assert told["detail"].startswith(f"{name}: ")


@pytest.mark.usefixtures("untouched")
def test_a_member_too_many_too_few_or_twice_is_named(there: httpx2.Client, archive: bytes) -> None:
    some = next(name for name in members(archive) if name.startswith("payloads/"))
    for name, change in {
        "notes.txt": lambda parts: parts.__setitem__("notes.txt", b"hello"),
        some: lambda parts: parts.__delitem__(some),
        "turns.jsonl": lambda parts: parts.__delitem__("turns.jsonl"),
    }.items():
        assert refused(there, changed(archive, change))["context"]["member"] == name
    twice = io.BytesIO(archive)
    with zipfile.ZipFile(twice, "a") as opened, pytest.warns(UserWarning, match="Duplicate"):
        opened.writestr("cubes.jsonl", b"{}\n")
    assert refused(there, twice.getvalue())["context"]["member"] == "cubes.jsonl"


@pytest.mark.usefixtures("untouched")
def test_what_is_no_archive_is_refused(there: httpx2.Client, archive: bytes) -> None:
    for body in (b"", b"hello", archive[: len(archive) // 2], archive[10:-30], zipped({"a.txt": b"b"})):
        refused(there, body, "archive_unreadable")
    refused(there, zipped(members(archive), zipfile.ZIP_DEFLATED))


@pytest.mark.usefixtures("untouched")
def test_a_format_that_is_not_known_yet_is_said_to_be_newer(there: httpx2.Client, archive: bytes) -> None:
    def later(parts: dict[str, bytes]) -> None:
        parts["manifest.json"] = json.dumps(json.loads(parts["manifest.json"]) | {"version": 2}).encode()

    told = refused(there, changed(archive, later), "archive_too_new")
    assert "version 2" in told["detail"]


def _first(column: str, value: Any) -> Change:
    return lambda rows: rows[0].__setitem__(column, value)


# By somebody who makes every hash of the manifest fit: what the chain, the commitments and the schema still hold.
FORGERIES: dict[str, tuple[str, Change, str]] = {
    "who made a version": ("versions.jsonl", _first("created_by", "somebody"), "its hash does not match"),
    "a version taken out": ("versions.jsonl", lambda rows: rows.pop(1), "stands at place 1"),
    "a payload exchanged": (
        "versions.jsonl",
        lambda rows: rows[1].update(payload_sha256=rows[2]["payload_sha256"], size_bytes=rows[2]["size_bytes"]),
        "not those it committed to",
    ),
    "words put into slots": (
        "versions.jsonl", lambda rows: rows[1]["written"][0]["words"].append("more"), "not those it committed to",
    ),
    "a version of no cube": ("versions.jsonl", _first("cube_id", f"cube_{'0' * 32}"), "its cube is not"),
    "a nonce taken away": ("versions.jsonl", _first("nonce", None), "neither whole nor erased"),
    "a column too many": ("cubes.jsonl", _first("secret", 1), "line 1: secret"),
    "a life of no kind": ("cubes.jsonl", _first("lifecycle", "immortal"), "line 1: lifecycle"),
    "an erased cube": ("cubes.jsonl", _first("lifecycle", "erased"), "nothing to be taken in"),
    "a state taken away": ("cubes.jsonl", lambda rows: rows.clear(), "its cube is not in the archive"),
    "a cube twice": ("cubes.jsonl", lambda rows: rows.append(rows[0]), "more than once"),
    "two turns in one place": ("turns.jsonl", lambda rows: rows[1].update(seq=1), "has no place"),
    "a turn beyond the end": ("turns.jsonl", lambda rows: rows[1].update(seq=99), "has no place"),
    "an answer taken away": ("turns.jsonl", _first("output", None), "without an answer"),
    "text that cannot be stored": ("turns.jsonl", _first("input", "a\x00b"), "line 1"),
    "a conversation forked from itself": (
        "conversations.jsonl",
        lambda rows: rows[0].update(parent_id=rows[0]["id"], parent_seq=1),
        "forked from itself",
    ),
}  # fmt: skip


@pytest.mark.usefixtures("untouched")
@pytest.mark.parametrize("forgery", FORGERIES)
def test_a_forgery_whose_hashes_fit_is_refused(there: httpx2.Client, archive: bytes, forgery: str) -> None:
    member, change, said = FORGERIES[forgery]
    told = refused(there, forged(archive, edited(member, change)))
    assert said in told["detail"], told["detail"]


@pytest.mark.usefixtures("untouched")
def test_a_payload_of_another_model_is_refused_by_name(there: httpx2.Client, archive: bytes) -> None:
    """The states say that they are of one model and hold what another wrote; every hash and commitment fits."""
    parts = members(archive)
    name = next(member for member in parts if member.startswith("payloads/"))
    payload = parts[name]
    versions = [json.loads(line) for line in parts["versions.jsonl"].splitlines()]
    fingerprint = versions[0]["fingerprint"]
    assert made_by(payload, fingerprint)
    assert not made_by(payload.replace(fingerprint.encode(), b"0" * 64), fingerprint)
    for broken in (b"", b"\xff" * 40, payload[8:], (2).to_bytes(8, "little") + b"[]"):
        assert not made_by(broken, fingerprint)


@given(st.data())
def test_no_damage_to_the_file_is_more_than_a_refusal(data: st.DataObject) -> None:
    """Wherever bytes are changed, cut or put in: refused by one of our own errors, or its content is as it was."""
    body = bytearray(GOLDEN.read_bytes())
    at = data.draw(st.integers(0, len(body) - 1))
    length = data.draw(st.integers(0, 8))
    body[at : at + length] = data.draw(st.binary(max_size=8))
    try:
        damaged = Archive(io.BytesIO(bytes(body)))
        verify(damaged)
    except Invalid:
        return
    assert damaged.manifest == Archive(io.BytesIO(GOLDEN.read_bytes())).manifest


def test_an_archive_has_a_limit_of_its_own(postgres_cluster: Cluster, archive: bytes) -> None:
    limits = {"max_body_bytes": 1024, "max_archive_bytes": len(archive)}
    with serve(postgres_cluster.database(), **limits) as small, small.client() as client:
        assert client.post("/v1/cubes/import", content=archive).status_code == 201
        problem(client.post("/v1/cubes/import", content=archive + b"x"), 413, "too_large")
        problem(client.post("/v1/cubes/import", content=iter([archive, b"x"])), 413, "too_large")
        problem(client.post("/v1/cubes/export", content=b" " * 2000), 413, "too_large")


def test_only_an_admin_writes_a_past(live: Live, here: httpx2.Client, archive: bytes) -> None:
    key = post(here, "/v1/keys", {"name": "app", "scopes": ["app", "read"]}).json()["key"]
    with live.client(key) as app:
        problem(app.post("/v1/cubes/import", content=archive), 403, "forbidden")
        exported(app, user_id="ada")


def test_a_payload_that_is_gone_is_an_answer_and_no_broken_download(live: Live, here: httpx2.Client) -> None:
    began = live.conversation(here, "somebody")
    say(here, began, "hello")
    live.settled(here, began)
    (row,) = look(live, "SELECT id, blob_id FROM memcube_versions WHERE conversation_id = %s AND number = 1", began)
    path = live.data_dir / "blobs" / row["blob_id"][-2:] / row["blob_id"]
    whole = path.read_bytes()
    path.unlink()
    try:
        told = problem(here.post("/v1/cubes/export", json={"conversation_id": began}), 503, "blob_missing")
    finally:
        path.write_bytes(whole)
    assert row["id"] in told["detail"]
