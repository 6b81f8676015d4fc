"""schemathesis over the live OpenAPI document: examples, coverage, fuzzing and stateful phases, every check, every
endpoint. 0 server errors and 0 schema violations.
"""

import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from memos.kit.ids import new_id
from tests.api.talk import eventually, look, post, say
from tests.support.console import of_the_console
from tests.support.live import Live, serve
from tests.support.postgres import Cluster

REPLACED = ("positive_data_acceptance", "not_a_server_error")  # by checks of tests/fuzz/hooks.py
PHASES = ("examples", "coverage", "fuzzing", "stateful")


@pytest.fixture
def patient(postgres_cluster: Cluster) -> Iterator[Live]:
    """A service of its own, which does not make the fuzzer wait for a version that will not come."""
    with serve(postgres_cluster.database(), turn_wait_s=0.2) as service:
        yield service


def _failed_job(live: Live) -> str:
    """A job for the fuzzer to retry."""
    with live.client() as client:
        conversation = live.conversation(client)
        say(client, conversation, "hello")
        live.settled(client, conversation)
        job = new_id("job")
        look(
            live,
            "INSERT INTO outbox (tenant_id, id, task, subject, status, failures, error) "
            "SELECT tenant_id, %s, 'advance', id, 'failed', 8, '{}' FROM conversations WHERE id = %s",
            job, conversation,
        )  # fmt: skip
    return job


def _consolidation(live: Live) -> tuple[str, str]:
    """A run over a user's memories, and a proposal of it that was decided about: no training begins here."""
    with live.client() as client:
        conversation = live.conversation(client)
        cube = client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"]
        run = post(client, "/v1/consolidations", {"user_id": "ada"}).json()["id"]
    proposal = new_id("prop")
    look(
        live,
        "INSERT INTO consolidation_proposals (tenant_id, id, run_id, cube_id, version_id, user_id, reason, "
        "status, decided_at) "
        "SELECT r.tenant_id, %s, r.id, c.id, c.head_version_id, r.user_id, 'often read', 'dismissed', "
        "now() FROM consolidations r JOIN memcubes c USING (tenant_id) WHERE r.id = %s AND c.id = %s",
        proposal, run, cube,
    )  # fmt: skip
    return run, proposal


def _delta(live: Live) -> str:
    """A training to look at."""
    with live.client() as client:
        cube = post(client, "/v1/cubes", {"text": "My dog is called Rex.", "user_id": "u"}).json()["id"]
        return str(post(client, "/v1/deltas", {"user_id": "u", "cube_ids": [cube]}).json()["id"])


def _parted(live: Live) -> tuple[str, str]:
    """Two conversations to merge."""
    with live.client() as client:
        ours, theirs = live.conversation(client), live.conversation(client)
        say(client, theirs, "hello")
        live.settled(client, theirs)
    return ours, theirs


def _memory(live: Live) -> tuple[str, str]:
    """A memory, and the batch that it would have come with, to look at."""
    with live.client() as client:
        memory = post(client, "/v1/memories", {"text": "My bird is called Kiwi.", "user_id": "u"}).json()
    (cube, batch) = memory["memories"][0]["id"], new_id("batch")
    look(
        live,
        "INSERT INTO memory_batches (tenant_id, id, cube_ids, scope_ids, duplicates, created_by) "
        "SELECT c.tenant_id, %s, ARRAY[c.id], ARRAY[c.scope_id], 0, 'test' FROM memcubes c WHERE c.id = %s",
        batch, cube,
    )  # fmt: skip
    return cube, batch


def _at_memories(live: Live) -> str:
    memory, batch = _memory(live)
    calls = ("GET {}", "GET {}/history", "PATCH {}", "DELETE {}")
    named = [(call.format("/v1/memories/{memory_id}"), f'"path.memory_id" = "{memory}"') for call in calls]
    named.append(("GET /v1/memories/batches/{batch_id}", f'"path.batch_id" = "{batch}"'))
    return "".join(f'[[operations]]\ninclude-name = "{call}"\nparameters = {{ {id} }}\n' for call, id in named)


def _erasure(live: Live) -> str:
    """A dry run to look at."""
    with live.client() as client:
        conversation = live.conversation(client)
        return str(post(client, "/v1/erasures", {"conversation_id": conversation, "dry_run": True}).json()["id"])


def _policy_run(live: Live) -> tuple[str, str]:
    """A policy with a run to look at."""
    with live.client() as client:
        made = post(client, "/v1/policies", {"name": "to look at", "rule": {"kind": "fifo", "most": 100}}).json()
        return made["id"], post(client, f"/v1/policies/{made['id']}/run", {"dry_run": True}).json()["id"]


def _grant(live: Live) -> tuple[str, str]:
    """A cube, and a grant on it to take back."""
    with live.client() as client:
        cube = client.get(f"/v1/conversations/{live.conversation(client)}").json()["state_cube_id"]
        body = {"grantee": {"role": "readers"}, "permission": "read"}
        return cube, post(client, f"/v1/cubes/{cube}/grants", body).json()["id"]


def _fuzz(live: Live, folder: Path, *, examples: int, seed: int, timeout_s: int) -> tuple[dict[str, Any], list[str]]:
    """The run's report, and a line for every call it made."""
    config = folder / "schemathesis.toml"
    policy, run = _policy_run(live)
    consolidation, proposal = _consolidation(live)
    granted, grant = _grant(live)
    ours, theirs = _parted(live)
    erasure = _erasure(live)
    config.write_text(
        # NUL is refused wherever it is (tests/api/test_bad_input.py), which a schema of free-form metadata cannot say.
        "[generation]\nallow-x00 = false\n"
        '[[operations]]\ninclude-name = "POST /v1/jobs/{job_id}/retry"\n'
        f'parameters = {{ "path.job_id" = "{_failed_job(live)}" }}\n'
        '[[operations]]\ninclude-name = "GET /v1/erasures/{erasure_id}"\n'
        f'parameters = {{ "path.erasure_id" = "{erasure}" }}\n'
        '[[operations]]\ninclude-name = "GET /v1/erasures/{erasure_id}/items"\n'
        f'parameters = {{ "path.erasure_id" = "{erasure}" }}\n'
        '[[operations]]\ninclude-name = "DELETE /v1/cubes/{cube_id}/grants/{grant_id}"\n'
        f'parameters = {{ "path.cube_id" = "{granted}", "path.grant_id" = "{grant}" }}\n'
        '[[operations]]\ninclude-name = "GET /v1/cubes/{cube_id}/grants"\n'
        f'parameters = {{ "path.cube_id" = "{granted}" }}\n'
        '[[operations]]\ninclude-name = "POST /v1/cubes/{cube_id}/grants"\n'
        f'parameters = {{ "path.cube_id" = "{granted}" }}\n'
        + _at_memories(live)
        + '[[operations]]\ninclude-name = "GET /v1/deltas/{delta_id}"\n'
        f'parameters = {{ "path.delta_id" = "{_delta(live)}" }}\n'
        '[[operations]]\ninclude-name = "POST /v1/conversations/{conversation_id}/merge"\n'
        f'parameters = {{ "path.conversation_id" = "{ours}" }}\n'
        '[[operations]]\ninclude-name = "GET /v1/cubes/{cube_id}/diff"\n'
        f'parameters = {{ "path.cube_id" = "{granted}" }}\n'
        '[[operations]]\ninclude-name = "POST /v1/cubes/{cube_id}/rollback"\n'
        f'parameters = {{ "path.cube_id" = "{granted}" }}\n'
        '[[operations]]\ninclude-name = "POST /v1/cubes/{cube_id}/fork"\n'
        f'parameters = {{ "path.cube_id" = "{granted}" }}\n'
        '[[operations]]\ninclude-name = "GET /v1/policies/{policy_id}/runs/{run_id}"\n'
        f'parameters = {{ "path.policy_id" = "{policy}", "path.run_id" = "{run}" }}\n'
        '[[operations]]\ninclude-name = "GET /v1/consolidations/{consolidation_id}"\n'
        f'parameters = {{ "path.consolidation_id" = "{consolidation}" }}\n'
        '[[operations]]\ninclude-name = "POST /v1/proposals/{proposal_id}/accept"\n'
        f'parameters = {{ "path.proposal_id" = "{proposal}" }}\n'
        '[[operations]]\ninclude-name = "POST /v1/proposals/{proposal_id}/dismiss"\n'
        f'parameters = {{ "path.proposal_id" = "{proposal}" }}\n'
    )
    with live.client() as client:
        (own,) = client.get("/v1/keys").json()["items"]
        cubes = [post(client, "/v1/cubes", {"text": "one", "user_id": "u"}).json()["id"] for _ in range(2)]
        lesson = post(client, "/v1/cubes", {"text": "My cat is called Tom.", "user_id": "learner"}).json()["id"]
    command = [
        str(Path(sys.executable).with_name("st")), f"--config-file={config}", "run", f"{live.url}/openapi.json",
        f"--header=Authorization: Bearer {live.key}", f"--phases={','.join(PHASES)}", "--checks=all",
        f"--exclude-checks={','.join(REPLACED)}", f"--max-examples={examples}", f"--seed={seed}", "--no-color",
        "--report=json", f"--report-json-path={folder / 'report.json'}",
    ]  # fmt: skip
    own_environment = {
        "SCHEMATHESIS_HOOKS": "tests.fuzz.hooks",
        "MEMOS_FUZZ_LOG": str(folder / "calls"),
        "MEMOS_FUZZ_KEY_ID": own["id"],
        "MEMOS_FUZZ_CUBES": " ".join(cubes),
        "MEMOS_FUZZ_LESSON": f"{lesson} learner",
        "MEMOS_FUZZ_OTHER": theirs,
        "PYTHONPATH": os.getcwd(),
    }
    done = subprocess.run(
        command, env=os.environ | own_environment, capture_output=True, text=True, timeout=timeout_s, check=False
    )
    assert done.returncode == 0, f"seed {seed}: {done.stdout[-6_000:]}{done.stderr[-3_000:]}"
    return json.loads((folder / "report.json").read_text()), (folder / "calls").read_text().splitlines()


def _check(live: Live, report: dict[str, Any], calls: list[str]) -> None:
    with live.client() as client:
        paths = client.get("/openapi.json").json()["paths"]
        documented = {f"{method.upper()} {path}" for path, operations in paths.items() for method in operations}
        assert report["complete"] is True
        assert report["failures"] == []
        assert report["operations"] == {
            "total": len(documented), "selected": len(documented), "tested": len(documented), "errored": 0,
            "skipped": 0, "skip_reasons": [],
        }  # fmt: skip
        assert {phase: report["phases"][phase]["status"] for phase in PHASES} == dict.fromkeys(PHASES, "success")
        statuses: dict[str, Counter[str]] = defaultdict(Counter)
        for call in calls:
            status, method, label = call.split(" ", 2)
            if label.startswith(f"{method} "):  # and not another method, tried to see it refused
                statuses[label][status] += 1
        assert statuses.keys() == documented
        for label, seen in statuses.items():
            # Reached what is behind the door, and not only refused at it.
            assert any(status.startswith("2") or status == "409" for status in seen), (label, seen)
            assert seen["401"] < seen.total() / 2, (label, seen)
        # Whatever was sent, the service is well, and nothing is left half-done.
        assert client.get("/readyz").json()["status"] == "ready"
        assert post(client, "/v1/conversations", {"user_id": "after"}).status_code == 201
        eventually(
            lambda: look(live, "SELECT count(*) n FROM turns WHERE status IN ('accepted', 'answered')") == [{"n": 0}],
            30,
        )
        assert look(live, "SELECT * FROM outbox WHERE status = 'failed'") == []


def test_the_document_holds_every_route(live: Live) -> None:
    """What is not in the document is not fuzzed: nothing but the document itself, its viewers, MCP, which has a
    protocol of its own, and the pages of the console, which are HTML for a browser with a session, may be missing."""
    with live.client() as client:
        documented = set(client.get("/openapi.json").json()["paths"])
        for path in ("/metrics", "/healthz", "/readyz"):
            assert path in documented
    routes = {route.path_format for router in live.app.router.routes for route in _leaves(router)}
    routes = {path for path in routes if not of_the_console(path)}
    assert routes - documented == {"/openapi.json", "/docs", "/docs/oauth2-redirect", "/redoc", "/mcp"}


def _leaves(route: Any) -> Iterator[Any]:
    inner = getattr(route, "original_router", None)
    if inner is None:
        yield route
    else:
        for child in inner.routes:
            yield from _leaves(child)


@pytest.mark.timeout(600)
def test_fuzzed(patient: Live, tmp_path: Path) -> None:
    _check(patient, *_fuzz(patient, tmp_path, examples=8, seed=20261124, timeout_s=560))


@pytest.mark.full
@pytest.mark.timeout(1800)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_fuzzed_at_length(patient: Live, tmp_path: Path, seed: int) -> None:
    _check(patient, *_fuzz(patient, tmp_path, examples=150, seed=seed, timeout_s=1700))
