"""What stands in the logs: ids in every line, and no word that anybody wrote, whatever is called and however it
fails.
"""

import json
import subprocess
import sys
from typing import Any

import httpx2
import psycopg
import pytest
from pydantic import TypeAdapter, ValidationError

from memos.kit.errors import NotFound
from memos.kit.logs import quiet_traceback
from tests.api.talk import ask, eventually, post, say
from tests.isolation.tenants import Tenant
from tests.isolation.test_tenants import BODIES, QUERIES, RAW, _tenant
from tests.observability.conftest import Watched

MARK = "zyqvokx"
USER = "the-same-user"


def marked(value: Any) -> Any:
    """A body with the mark in every text of it that is not one of a few words or an id."""
    if isinstance(value, dict):
        return {name: marked(part) for name, part in value.items()}
    if isinstance(value, list):
        return [marked(part) for part in value]
    free = isinstance(value, str) and (" " in value or value in ("mine", "may", "I?", "no", "me"))
    return f"{MARK} {value}" if free else value


def spoiled(value: Any) -> list[Any]:
    """Bodies that are refused: something unknown, the wrong kind in each place, and no object at all."""
    body = value or {}
    wrong = [body | {name: {MARK: [MARK]}} for name in body]
    return [*wrong, body | {MARK: MARK}, [MARK], MARK]


@pytest.fixture(scope="module")
def tenant(watched: Watched) -> Any:
    with watched.stack.client() as operator:
        made = _tenant(watched.live, operator, MARK)
    yield made
    made.client.close()


def drive(client: httpx2.Client, call: str, tenant: Tenant) -> int:
    """Sends a call in many ways; how many."""
    method, path = call.split(" ")
    address = path.format(**tenant.ids, number=1, user_id=USER)
    strange = path.format(**dict.fromkeys(tenant.ids, MARK), number=MARK, user_id=MARK)
    headers = {"If-Match": '"1"'}
    raw = RAW.get(call)
    sent: list[dict[str, Any]] = [{"content": raw}] if raw else [{"json": marked(BODIES[call])}]
    if method != "GET" and not raw:
        sent += [{"json": body} for body in spoiled(BODIES[call])] + [{"content": f'{{"{MARK}": {MARK}'}]
    for one in sent:
        client.request(method, address, params=QUERIES.get(call), headers=headers, **one)
    client.request(method, address, params={"cursor": MARK, "filter": MARK, "limit": MARK}, headers=headers, **sent[0])
    client.request(method, strange, headers=headers, **sent[0])
    client.request(method, address, headers=headers | {"Authorization": f"Bearer mk_{MARK}"}, **sent[0])
    return len(sent) + 3


def found_in(watched: Watched, word: str) -> dict[str, list[str]]:
    hits = {name: [line for line in path.read_text(errors="replace").splitlines() if word in line.lower()]
            for name, path in watched.logs.items()}  # fmt: skip
    return {name: lines[:3] for name, lines in hits.items() if lines}


def test_no_word_of_anybody_is_logged(watched: Watched, tenant: Tenant) -> None:
    client = tenant.client
    for word in ("/slow 1", "/recall"):  # commands of the fake
        ask(client, tenant.ids["conversation_id"], f"{word} {MARK}")
    with client.stream(
        "POST", f"/v1/conversations/{tenant.ids['conversation_id']}/turns", json={"input": MARK, "stream": True}
    ) as answer:
        answer.read()
    last = {"DELETE /v1/keys/{key_id}", "POST /v1/erasures"}
    calls = sum(drive(client, call, tenant) for call in sorted(BODIES, key=lambda call: call in last))
    post(client, "/v1/erasures", {"user_id": USER, "dry_run": False})
    watched.stack.drain(40)
    assert calls > 300
    counts = {name: len(path.read_text(errors="replace").splitlines()) for name, path in watched.logs.items()}
    assert min(counts.values()) > 1, counts  # each of them says something
    assert counts["api-0"] > calls
    assert found_in(watched, MARK) == {}
    assert found_in(watched, USER) == {}
    print(f"{calls} calls, {counts} lines, no word of anybody in them")


def test_a_word_that_is_logged_is_found(watched: Watched) -> None:
    """Planted: the same search, over a log that holds one."""
    path = watched.stack.folder / "planted.log"
    path.write_text(json.dumps({"event": "turn.ended", "input": f"my dog is {MARK.upper()}"}) + "\n")
    planted = Watched(watched.stack, watched.model, watched.receiver, {"planted": path}, {})
    assert found_in(planted, MARK).keys() == {"planted"}


def test_every_line_of_a_turn_and_its_job_carries_their_ids(watched: Watched) -> None:
    with watched.stack.client() as client:
        conversation = watched.live.conversation(client)
        client.headers["X-Request-Id"] = "request-of-ours"
        turn = say(client, conversation, "hello")
        del client.headers["X-Request-Id"]
        watched.live.settled(client, conversation)
    [ended] = [
        line for line in watched.lines("api-0") if line["event"] == "turn.ended" and line["turn_id"] == turn["id"]
    ]
    assert ended["request_id"] == "request-of-ours"
    assert ended["conversation_id"] == conversation
    of_request = [line for line in watched.lines("api-0") if line.get("request_id") == "request-of-ours"]
    assert {line["event"] for line in of_request} >= {"turn.ended", "request.ended"}

    def answered() -> list[dict[str, Any]]:
        lines = watched.lines("model")
        ours = [line for line in lines if line.get("request_id") == "request-of-ours"]
        return [line for line in ours if line.get("route") == "/generate"]

    [generated] = eventually(answered)
    assert generated["turn_id"] == turn["id"]

    def jobs() -> list[dict[str, Any]]:
        lines = watched.lines("consumer")
        return [line for line in lines if line["event"] == "job.ended" and line.get("turn_id") == turn["id"]]

    [job] = eventually(jobs)
    assert (job["task"], job["subject"], job["outcome"]) == ("advance", conversation, "done")
    advanced = [line for line in watched.lines("model") if line.get("job_id") == job["job_id"]]
    assert [line["route"] for line in advanced] == ["/advance"]
    for line in (ended, generated, job, advanced[0]):
        assert line["trace_id"] == ended["trace_id"]
    # Nothing that is said while a request is under way lacks its id.
    apart = ("wakeups.", "watchdog.", "reaper.", "metrics.", "library")
    nameless = [line for line in watched.lines("api-0") if not {"request_id", "job_id"} & line.keys()]
    assert [line for line in nameless if not line["event"].startswith(apart)] == []


def test_what_an_error_says_is_left_out() -> None:
    """Both quote what was written; where they came from is all there."""

    class Refused(psycopg.errors.UniqueViolation):
        sqlstate = "23505"

    try:
        try:
            TypeAdapter(int).validate_python(MARK)
        except ValidationError as error:
            raise Refused(f"DETAIL: Key (text)=({MARK}) already exists") from error
    except psycopg.Error as error:
        said = quiet_traceback(error)
    assert MARK not in said
    assert "test_what_an_error_says_is_left_out" in said
    assert "ValidationError" in said
    assert "SQLSTATE 23505" in said
    assert quiet_traceback(NotFound(f"there is no {MARK}")).endswith("NotFound: not_found")
    group = quiet_traceback(ExceptionGroup(MARK, [ValueError(MARK), KeyError(MARK)]))
    assert MARK not in group
    assert "KeyError" in group


CRASH = """
import asyncio, logging
from memos.kit.config import Settings
from memos.kit.logs import configure_logs
import structlog
configure_logs(Settings({texts}))
try:
    raise ValueError("zyqvokx")
except ValueError:
    logging.getLogger("uvicorn.error").exception("Exception in ASGI application\\n%s", "zyqvokx")
    structlog.get_logger().exception("job.bug")
async def lost():
    raise ValueError("zyqvokx")
async def main():
    task = asyncio.create_task(lost())
    await asyncio.sleep(0.01)
asyncio.run(main())
"""


@pytest.mark.parametrize(("texts", "shown"), [("", False), ("log_texts=True", True)])
def test_libraries_log_through_the_same_door(texts: str, shown: bool) -> None:
    code = CRASH.format(texts=texts)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line.get("logger") for line in lines] == ["uvicorn.error", None, "asyncio"]
    assert [line.get("said") for line in lines] == [
        "Exception in ASGI application", None, "Task exception was never retrieved",
    ]  # fmt: skip
    assert ("zyqvokx" in done.stderr) is shown
    assert all("ValueError" in line["exception"] for line in lines)
