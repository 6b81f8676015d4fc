"""Small steps that tests over REST share: saying something, reading an echo answer's evidence, checking a refusal."""

import json
import re
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from typing import Any, TypeVar

import httpx2
import psycopg
from psycopg.rows import dict_row
from sqlalchemy import make_url

from memos.generation.echo import turn_fingerprint
from memos.kernel.version import Link, VersionFacts
from memos.kit.ids import new_id
from tests.support.live import Live

T = TypeVar("T")
_TURNS = re.compile(r"echo (\d+) \[(?:\.\.\. )?([^\]]*)\]")


def ask(client: httpx2.Client, conversation: str, text: str, *, key: str | None = None, **body: Any) -> httpx2.Response:
    """Sends one turn; whatever comes back."""
    headers = {"Idempotency-Key": key} if key else {}
    return client.post(f"/v1/conversations/{conversation}/turns", json={"input": text, **body}, headers=headers)


def say(client: httpx2.Client, conversation: str, text: str, **options: Any) -> dict[str, Any]:
    """Sends one turn that must be answered."""
    answer = ask(client, conversation, text, **options)
    assert answer.status_code == 201, answer.text
    turn: dict[str, Any] = answer.json()
    return turn


def held(output: str) -> list[str]:
    """The fingerprints of the turns that the state behind an echo answer holds, in order; and as many as it says."""
    found = _TURNS.match(output)
    assert found is not None, output
    fingerprints = [entry.split(":")[1] for entry in found[2].split()]
    assert len(fingerprints) == int(found[1])
    return fingerprints


def of(*texts: str) -> list[str]:
    """How turns with these inputs show in an echo answer."""
    return [turn_fingerprint(text) for text in texts]


def post(client: httpx2.Client, path: str, body: Any = None, *, key: str | None = None) -> httpx2.Response:
    """A call that must succeed."""
    headers = {"Idempotency-Key": key} if key else {}
    answer = client.post(path, json=body, headers=headers)
    assert answer.is_success, answer.text
    return answer


def settled(client: httpx2.Client, conversation: str) -> dict[str, Any]:
    """The conversation, once every turn is in its memory."""

    def found() -> dict[str, Any]:
        view: dict[str, Any] = client.get(f"/v1/conversations/{conversation}").json()
        return view if view["pending_turns"] == 0 else {}

    return eventually(found, 30)


def turns(client: httpx2.Client, conversation: str) -> list[dict[str, Any]]:
    return everything(client, f"/v1/conversations/{conversation}/turns")


def everything(client: httpx2.Client, path: str, limit: int = 200) -> list[dict[str, Any]]:
    """All items of a list, page by page."""
    items: list[dict[str, Any]] = []
    cursor: str | None = None
    while True:
        wanted = {"limit": limit} | ({"cursor": cursor} if cursor else {})
        answer = client.get(path, params=wanted)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        items += body["items"]
        cursor = body["next_cursor"]
        if cursor is None:
            return items


def problem(answer: httpx2.Response, status: int, code: str) -> dict[str, Any]:
    """Checks that an answer is a problem document as promised, and returns it."""
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    body: dict[str, Any] = answer.json()
    assert body["code"] == code, body
    assert body["status"] == status
    for field in ("type", "title", "detail", "hint"):
        assert body[field], field
    assert body["request_id"] == answer.headers["x-request-id"]
    if status in (429, 503):
        assert int(answer.headers["retry-after"]) >= 1
    return body


def events(lines: Iterable[str]) -> Iterator[tuple[str, Any]]:
    """(event, data) of an event stream."""
    name = ""
    for line in lines:
        if line.startswith("event: "):
            name = line.removeprefix("event: ")
        elif line.startswith("data: "):
            yield name, json.loads(line.removeprefix("data: "))


def eventually(look: Callable[[], T], timeout_s: float = 15.0) -> T:
    """What `look` returns, once it is something."""
    deadline = time.monotonic() + timeout_s
    while not (found := look()):
        assert time.monotonic() < deadline, f"still {found!r} after {timeout_s} s"
        time.sleep(0.03)
    return found


@contextmanager
def meanwhile(call: Callable[[], T]) -> "Iterator[Future[T]]":
    """Runs a call in a thread; it has ended when the block is left."""
    with ThreadPoolExecutor(1) as pool:
        yield pool.submit(call)


def under_way(client: httpx2.Client, conversation: str, seq: int) -> dict[str, Any]:
    """The turn with this seq, once it is being answered."""
    wanted = "accepted"
    return eventually(
        lambda: next((t for t in turns(client, conversation) if (t["seq"], t["status"]) == (seq, wanted)), {})
    )


def look(live: Live, sql: str, *values: Any) -> list[dict[str, Any]]:
    """What the database says, past row-level security: as the administrator."""
    url = make_url(live.database.admin).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        cursor = connection.execute(sql, values)
        return cursor.fetchall() if cursor.description else []


def plant(live: Live, sql: str, *values: Any) -> None:
    """Changes rows in ways that the schema's triggers refuse, as a damage from outside does."""
    url = make_url(live.database.admin).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SET session_replication_role = replica")
        connection.execute(sql, values)


def abandoned(live: Live, conversation: str, *, key: str, lease_s: float) -> str:
    """Leaves exactly what a process that was killed in the middle of a keyed turn leaves; the turn's id."""
    turn = new_id("turn")
    look(
        live,
        "WITH place AS (UPDATE conversations SET next_seq = next_seq + 1 WHERE id = %s RETURNING *), taken AS ("
        "INSERT INTO turns (tenant_id, id, conversation_id, seq, epoch, status, input, idempotency_key, lease_owner, "
        "lease_token, lease_expires_at) SELECT tenant_id, %s, id, next_seq - 1, epoch, 'accepted', 'never answered', "
        "%s, 'gone', 'gone', now() + make_interval(secs => %s) FROM place RETURNING *) "
        "INSERT INTO idempotency_keys (tenant_id, key, request_sha256, turn_id, expires_at) "
        "SELECT tenant_id, idempotency_key, 'of that request', id, now() + interval '1 day' FROM taken",
        conversation, turn, key, lease_s,
    )  # fmt: skip
    return turn


def chain(client: httpx2.Client, cube: str) -> list[Link]:
    """A cube's versions as the kernel's chain check takes them, made of nothing but what the API shows."""
    return [_link(version) for version in reversed(everything(client, f"/v1/cubes/{cube}/versions"))]


def _link(version: dict[str, Any]) -> Link:
    moments = {name: version[name] and _hashed(version[name]) for name in ("created_at", "valid_from", "valid_to")}
    facts = {name: version[name] for name in VersionFacts.__slots__}
    return Link(
        version_id=version["id"],
        parent_hash=version["parent_hash"],
        hash=version["hash"],
        facts=VersionFacts(**(facts | moments)),
        commitment=version["commitment"],
    )


def _hashed(moment: str) -> str:
    """A moment as it stands in what is hashed: a whole second is shown without its zeros."""
    return datetime.fromisoformat(moment).isoformat(timespec="microseconds")
