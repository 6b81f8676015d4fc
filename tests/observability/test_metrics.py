"""The table in the documentation, the dashboard and the alerts, against what real processes expose."""

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from tests.api.talk import eventually, say
from tests.observability.conftest import Watched

ROOT = Path(__file__).parents[2]
TABLE = ROOT / "docs/observability.md"
DASHBOARD = ROOT / "deploy/grafana/memos.json"
ALERTS = ROOT / "deploy/prometheus/alerts.yml"
_ROW = re.compile(r"^\| `(memos_\w+)` \| (\w+) \|([^|]*)\|([^|]*)\|", re.M)
PARTS = ("_bucket", "_count", "_sum", "_total", "_created")
SET_BY_PROMETHEUS = {"le", "instance", "job"}


@dataclass(frozen=True)
class Metric:
    kind: str
    labels: frozenset[str]


def documented(text: str) -> dict[str, tuple[Metric, set[str]]]:
    """Each metric of the table, and who tells it."""
    return {
        name: (Metric(kind, frozenset(re.findall(r"\w+", labels))), set(re.findall(r"\w+", who)))
        for name, kind, labels, who in _ROW.findall(text)
    }


def exposed(text: str) -> dict[str, Metric]:
    """By the names that the table uses. Labels are those of its samples; none while it has none."""
    found = {}
    for family in text_string_to_metric_families(text):
        if family.name.endswith("_created"):  # when a counter began, which the client adds by itself
            continue
        labels = frozenset(label for sample in family.samples for label in sample.labels) - {"le"}
        name = f"{family.name}_total" if family.type == "counter" else family.name
        found[name] = Metric(family.type, labels)
    return found


@pytest.fixture(scope="module")
def told(watched: Watched) -> dict[str, dict[str, Metric]]:
    """What each kind of process exposes once a turn has gone through all of them."""
    with watched.stack.client() as client:
        conversation = watched.live.conversation(client)
        for word in ("one", "two"):
            say(client, conversation, word)
        watched.live.settled(client, conversation)
        client.get("/v1/nothing")

    def at_rest() -> dict[str, dict[str, Metric]]:
        """The gauges of a queue are brought up to date now and then."""
        found = {name: exposed(watched.exposed(name)) for name in watched.metrics}
        done = found["worker"]["memos_jobs_total"].labels and found["relay"]["memos_outbox_jobs"].labels
        return found if done else {}

    return eventually(at_rest, 60)


def differences(table: str, told: dict[str, dict[str, Metric]]) -> list[str]:
    rows = documented(table)
    wrong = []
    for name in {name for metrics in told.values() for name in metrics if name.startswith("memos_")} - rows.keys():
        wrong.append(f"{name} is exposed and not in the table")
    for name, (metric, who) in rows.items():
        for process in who:
            found = told[process].get(name)
            if found is None:
                wrong.append(f"{process} does not expose {name}")
            elif found.kind != metric.kind or (found.labels and found.labels != metric.labels):
                wrong.append(f"{name}: {process} has {found}, the table {metric}")
    return sorted(wrong)


def test_the_table_says_what_is_exposed(told: dict[str, dict[str, Metric]]) -> None:
    text = TABLE.read_text()
    assert differences(text, told) == []
    assert len(documented(text)) > 25
    values = [name for metrics in told.values() for name, metric in metrics.items() if metric.labels]
    assert {"memos_turn_phase_seconds", "memos_job_seconds", "memos_state_cache_hits_total"} <= set(values)


def test_a_metric_that_is_renamed_or_relabelled_is_noticed(told: dict[str, dict[str, Metric]]) -> None:
    text = TABLE.read_text()
    assert differences(text.replace("memos_turns_total", "memos_turn_total"), told) == [
        "api does not expose memos_turn_total", "memos_turns_total is exposed and not in the table",
    ]  # fmt: skip
    [wrong] = differences(
        text.replace("`memos_jobs_total` | counter | `task`, ", "`memos_jobs_total` | counter | "), told
    )[:1]
    assert "memos_jobs_total" in wrong


def test_names_follow_the_conventions(told: dict[str, dict[str, Metric]]) -> None:
    for name, metric in {name: metric for metrics in told.values() for name, metric in metrics.items()}.items():
        if not name.startswith("memos_"):
            continue
        assert name.endswith("_total") == (metric.kind == "counter"), name
        assert not re.search(r"_(ms|millis|minutes|kb|mb|percent)(_|$)", name), name
        assert not metric.labels & {"user", "user_id", "tenant", "tenant_id", "conversation_id", "path", "text"}, name


def expressions() -> dict[str, list[str]]:
    """What the dashboard and the alerts ask, by the title of a panel or the name of an alert."""
    panels: list[dict[str, Any]] = json.loads(DASHBOARD.read_text())["panels"]
    asked = {panel["title"]: [one["expr"] for one in panel["targets"]] for panel in panels if "targets" in panel}
    for group in yaml.safe_load(ALERTS.read_text())["groups"]:
        asked |= {rule["alert"]: [rule["expr"]] for rule in group["rules"]}
    return asked


def unanswerable(expression: str, known: dict[str, Metric]) -> list[str]:
    """What of an expression asks for a metric or a label that does not exist."""
    wrong, labels = [], set(SET_BY_PROMETHEUS)
    for name in set(re.findall(r"\bmemos_\w+", expression)):
        base = next((name.removesuffix(part) for part in PARTS if name.endswith(part)), name)
        metric = known.get(name) or known.get(base)
        if metric is None or (metric.kind == "histogram") != name.endswith(("_bucket", "_count", "_sum")):
            wrong.append(name)
        else:
            labels |= metric.labels
    used = re.findall(r"(\w+)\s*(?:=~|!=|!~|=)\s*\"", expression)
    for clause in re.findall(r"\b(?:by|on)\s*\(([^)]*)\)", expression):
        used += re.findall(r"\w+", clause)
    return wrong + sorted(set(used) - labels)


def test_the_dashboard_and_the_alerts_ask_for_what_exists() -> None:
    known = {name: metric for name, (metric, _) in documented(TABLE.read_text()).items()}
    asked = expressions()
    assert len(asked) > 30
    for title, found in asked.items():
        for expression in found:
            assert unanswerable(expression, known) == [], (title, expression)
            assert expression.count("(") == expression.count(")"), (title, expression)
    everything = " ".join(expression for found in asked.values() for expression in found)
    unwatched = [name for name in known if name.removesuffix("_total") not in everything]
    assert unwatched == [], "every metric is on the dashboard"


@pytest.mark.parametrize(
    "planted",
    ["sum(memos_turn_total)", "rate(memos_turn_seconds[5m])", "sum by (tasks) (memos_outbox_jobs)",
     'memos_jobs_total{outcom="done"}', "memos_turns_in_flight_bucket"],
)  # fmt: skip
def test_a_question_that_nothing_answers_is_noticed(planted: str) -> None:
    known = {name: metric for name, (metric, _) in documented(TABLE.read_text()).items()}
    assert unanswerable(planted, known) != []


def test_the_scrape_configuration_names_the_services_of_the_compose_file() -> None:
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    config = yaml.safe_load((ROOT / "deploy/prometheus/prometheus.yml").read_text())
    found: dict[str, str] = {}
    for job in config["scrape_configs"]:
        for static in job.get("static_configs", []):
            found |= dict(target.split(":") for target in static["targets"])
        for names in job.get("dns_sd_configs", []):
            found |= dict.fromkeys(names["names"], str(names["port"]))
    assert found.keys() <= services.keys()
    for service in ("relay", "worker"):
        assert services[service]["environment"]["MEMOS_METRICS_PORT"] == found[service]
        assert services[service]["environment"]["MEMOS_METRICS_HOST"] == "0.0.0.0"
    assert f"--port={found['model-worker']}" in services["model-worker"]["command"]
    assert config["rule_files"] == [ALERTS.name]


def test_metrics_of_a_process_that_ended_stay_counted(watched: Watched) -> None:
    """The worker's pool processes come and go; what they counted does not."""

    def advanced() -> float:
        families = text_string_to_metric_families(httpx2.get(watched.metrics["worker"]).text)
        samples = [sample for family in families if family.name == "memos_jobs" for sample in family.samples]
        return sum(sample.value for sample in samples if sample.labels["task"] == "advance")

    with watched.stack.client() as client:
        conversation = watched.live.conversation(client)
        before = advanced()
        for number in range(3):
            say(client, conversation, f"fact {number}")
        watched.live.settled(client, conversation)
    eventually(lambda: advanced() >= before + 1)
