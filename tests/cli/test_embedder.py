"""`memos embedder`, and what `memos doctor` says of it."""

import pytest

from memos.cli.doctor.report import Report
from memos.cli.doctor.service import _embedder
from tests.cli.conftest import Run, invoke
from tests.support.live import Live


def test_status_names_the_model_in_force(run: Run, live: Live) -> None:
    status = run("embedder", "status", "--json").json
    assert status["in_force"]["model"].startswith("hash-384@")
    assert status["in_force"]["available"]
    assert (status["switching"], status["dense_off"]) == ([], False)
    shown = run("embedder", "status").out
    assert status["in_force"]["model"] in shown


def test_a_switch_to_what_is_in_force_moves_nothing(run: Run, live: Live) -> None:
    assert run("embedder", "switch", "--no-wait", "--json").json["queued"] == 0
    assert run("embedder", "switch", "--json").json["switching"] == []


def test_the_doctor_names_it(live: Live, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MEMOS_GENERATOR", "echo")
    found = invoke("doctor", "--url", live.url, "--key", live.key, "--json").json
    (said,) = (check for check in found["checks"] if check["component"] == "embedder")
    assert said["status"] == "ok"
    assert said["detail"].startswith("hash-384@")


def test_a_model_that_is_gone_is_said_by_the_doctor() -> None:
    there = {"model": "new@0:1", "available": True, "reason": None}
    gone = {"model": "old@0:1", "available": False, "reason": "no such folder", "scopes": 3}
    report = Report()
    state = {"in_force": there, "in_use": [gone], "switching": [{}, {}, {}], "dense_off": True}
    _embedder(report, state)
    said = {check.component: check for check in report.checks}
    assert "3 owners" in said["embedder"].detail
    assert said["dense search"].status == "warning"
    assert "old@0:1: no such folder" in said["dense search"].detail
    _embedder(report, state | {"in_force": there | {"available": False, "reason": "the worker is away"}})
    assert report.checks[-2].status == "wrong"
