"""What the Python client costs: python -m benchmarks.sdk_overhead

* The import of `memos.sdk` in a fresh interpreter, beside that of the two libraries it is made of: seconds and CPU.
* A turn through it, beside the same request sent with its HTTP library by hand and read with `json.loads`, to the same
  `memos serve` (echo generator), taken in turns so that both meet the same load. CPU is of the calling thread.

The goals: an import under 150 ms, and at most 2 ms added to a turn.
"""

import argparse
import json
import subprocess
import sys
import time
from collections.abc import Callable
from typing import Any
from uuid import uuid4

import httpx2

from benchmarks.report import machine, publish, spread
from memos.sdk import Memos
from tests.support.topology import embedded

IMPORT_GOAL_MS, TURN_GOAL_MS = 150.0, 2.0
IMPORT = """
import json, time
cpu, wall = time.process_time(), time.perf_counter()
import {name}
print(json.dumps({{"cpu_ms": (time.process_time() - cpu) * 1000, "ms": (time.perf_counter() - wall) * 1000}}))
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--turns", type=int, default=300)
    parser.add_argument("--imports", type=int, default=10)
    wanted = parser.parse_args()
    figures: dict[str, Any] = {"benchmark": "sdk_overhead", "machine": machine(), "turns": wanted.turns}
    figures["import"] = imports(wanted.imports)
    with embedded({}) as topology:
        figures["turn"] = turns(topology.urls[0], topology.api_key, wanted.turns)
    figures["reached"] = {
        "import": figures["import"]["memos.sdk"]["cpu_ms"]["median"] <= IMPORT_GOAL_MS,
        "turn": figures["turn"]["added_cpu_ms"] <= TURN_GOAL_MS,
    }
    publish(figures)
    return 0


def imports(times: int) -> dict[str, Any]:
    taken: dict[str, list[dict[str, float]]] = {"memos.sdk": [], "pydantic": [], "httpx2": []}
    for _ in range(times):
        for name, found in taken.items():
            code = IMPORT.format(name=name)
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            found.append(json.loads(done.stdout))
    return {
        name: {part: spread([one[part] for one in found]) for part in ("ms", "cpu_ms")} for name, found in taken.items()
    }


def turns(url: str, key: str, number: int) -> dict[str, Any]:
    headers = {"Authorization": f"Bearer {key}"}
    with Memos(url, key) as client, httpx2.Client(base_url=url, headers=headers, timeout=60) as raw:
        conversation = client.conversations.create("ada").id
        path = f"/v1/conversations/{conversation}/turns"

        def with_client() -> str:
            return str(client.turns.create(conversation, "hello", consistency="eventual").output)

        def by_hand() -> str:
            body = json.dumps({"input": "hello", "consistency": "eventual"}).encode()
            sent = {"Content-Type": "application/json", "Idempotency-Key": uuid4().hex}
            answer = raw.post(path, content=body, headers=sent)
            answer.raise_for_status()
            return str(json.loads(answer.content)["output"])

        both: dict[str, list[tuple[float, float]]] = {"client": [], "by_hand": []}
        for at in range(-20, number):
            pair = [("client", with_client), ("by_hand", by_hand)]
            for name, call in pair if at % 2 else reversed(pair):
                spent = _timed(call)
                if at >= 0:
                    both[name].append(spent)
            _settle(client, conversation)
    found = {
        name: {"ms": spread([wall for wall, _ in spent]), "cpu_ms": spread([cpu for _, cpu in spent])}
        for name, spent in both.items()
    }
    ours, theirs = found["client"], found["by_hand"]
    return found | {
        "added_cpu_ms": round(ours["cpu_ms"]["median"] - theirs["cpu_ms"]["median"], 3),
        "added_ms": round(ours["ms"]["median"] - theirs["ms"]["median"], 3),
        "ratio": round(ours["ms"]["median"] / theirs["ms"]["median"], 3),
    }


def _timed(call: Callable[[], str]) -> tuple[float, float]:
    cpu_s, began_s = time.thread_time(), time.perf_counter()
    assert call()
    return (time.perf_counter() - began_s) * 1000, (time.thread_time() - cpu_s) * 1000


def _settle(client: Memos, conversation: str) -> None:
    while client.conversations.get(conversation).pending_turns:
        time.sleep(0.005)


if __name__ == "__main__":
    sys.exit(main())
