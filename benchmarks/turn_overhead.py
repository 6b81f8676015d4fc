"""What the service adds to a turn: python -m benchmarks.turn_overhead

One client takes turns of the echo generator, which computes nothing to speak of, from `memos serve`; after each turn,
and after the memory has taken it in, the same machine and database run a bare loop of the two commits that a turn needs
at least: insert a row, commit, update it and insert another, commit. Interleaved, so that both meet the same load.
Published is the ratio of the two, for `eventual`; `latest`, and turns that recall nothing, apart. CPU is of the API
process, Postgres not included.
"""

import argparse
import json
import os
import random
import sys
import time
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg

from benchmarks.report import machine, publish, spread
from memos.embedded.datadir import read_service
from tests.support.evidence import connect
from tests.support.topology import Topology, embedded
from tests.support.writers import Client, conversations

GOAL = 3.0
SERIES: dict[str, dict[str, Any]] = {
    "eventual": {"consistency": "eventual"},
    "latest": {"consistency": "latest"},
    "recall_off": {"consistency": "eventual", "recall": {"top_k": 0}},
}
_TABLES = """
    CREATE TABLE bare_turns (id text PRIMARY KEY, conversation_id text NOT NULL, input text NOT NULL, output text);
    CREATE TABLE bare_jobs (id text PRIMARY KEY, turn_id text NOT NULL)"""
_PENDING = "SELECT count(*) FROM turns WHERE status IN ('accepted', 'answered')"
_OPEN = "SELECT count(*) FROM outbox WHERE status <> 'done'"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=300)
    wanted = parser.parse_args()
    figures: dict[str, Any] = {"benchmark": "turn_overhead", "machine": machine(), "turns": wanted.turns}
    with embedded({}) as topology:
        figures |= measure(topology, wanted.turns)
    publish(figures)
    return 0


def measure(topology: Topology, turns: int) -> dict[str, Any]:
    client = Client(topology.urls, topology.api_key, random.Random(0))
    service = read_service(topology.blobs.parent)
    assert service is not None
    results: dict[str, Any] = {}
    with connect(topology.admin_url) as watching, connect(topology.admin_url) as bare:
        bare.execute(_TABLES)
        for name, options in SERIES.items():
            turn_ms, bare_ms, cpu_ms = [], [], []
            phases: dict[str, list[float]] = {}
            conversation = conversations(client, 1)[0]
            for number in range(-20, turns):
                used_s, took_s, answer = _turn(client, conversation, options, service.pid)
                _settle(watching)
                spent_s = _two_commits(bare)
                if number < 0:
                    continue  # warming up
                turn_ms.append(took_s * 1000)
                cpu_ms.append(used_s * 1000)
                bare_ms.append(spent_s * 1000)
                for phase, spent in answer["timings_ms"].items():
                    phases.setdefault(phase, []).append(spent)
            ours, floor = spread(turn_ms), spread(bare_ms)
            results[name] = {
                "turn_ms": ours,
                "two_commits_ms": floor,
                "ratio": {share: round(ours[share] / floor[share], 2) for share in ("median", "p95")},
                "api_cpu_ms": spread(cpu_ms),
                "phases_ms": {phase: spread(values) for phase, values in phases.items()},
            }
    reached = results["eventual"]["ratio"]
    return {"goal_ratio": GOAL, "reached": all(value <= GOAL for value in reached.values())} | results


def _turn(client: Client, conversation: str, options: dict[str, Any], pid: int) -> tuple[float, float, dict[str, Any]]:
    """(CPU seconds of the API until it answered, seconds, answer)."""
    body = {"input": f"hello {uuid4().hex}", **options}
    cpu_s, began_s = _cpu_s(pid), time.perf_counter()
    status, data = client.post(f"/v1/conversations/{conversation}/turns", body, uuid4().hex)
    took_s, used_s = time.perf_counter() - began_s, _cpu_s(pid) - cpu_s
    assert status == 201, data
    return used_s, took_s, json.loads(data)


def _two_commits(connection: "psycopg.Connection[Any]") -> float:
    turn_id, began_s = uuid4().hex, time.perf_counter()
    with connection.transaction():
        connection.execute("INSERT INTO bare_turns VALUES (%s, %s, %s)", [turn_id, "conversation", "hello"])
    with connection.transaction():
        connection.execute("UPDATE bare_turns SET output = %s WHERE id = %s", ["echo hello", turn_id])
        connection.execute("INSERT INTO bare_jobs VALUES (%s, %s)", [uuid4().hex, turn_id])
    return time.perf_counter() - began_s


def _settle(connection: "psycopg.Connection[Any]") -> None:
    """Until the memory has taken everything in, so that the next measurement meets no work of the last."""
    while any((connection.execute(query).fetchone() or (0,))[0] for query in (_PENDING, _OPEN)):
        time.sleep(0.005)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/schedstat").read_text().split()
    return int(fields[0]) / 1e9 if len(fields) == 3 else _ticks_s(pid)


def _ticks_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    sys.exit(main())
