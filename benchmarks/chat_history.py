"""What a resent history costs: the CPU time of this process for one chat completion whose history has 2 or 500
messages, all of it known, by the echo generator, service and client in one process. Prints JSON.

    python -m benchmarks.chat_history --repeats 30
"""

import argparse
import json
import os
import statistics
import time
from typing import Any

import httpx2

from tests.support.live import serve
from tests.support.postgres import cluster


def _body(messages: list[Any], text: str) -> dict[str, Any]:
    return {"model": "memos", "user": "ada", "messages": [*messages, {"role": "user", "content": text}]}


def _grown(client: httpx2.Client, exchanges: int) -> list[Any]:
    """A history of so many exchanges that the service has taken in."""
    words = "word " * 20
    messages = [
        {"role": role, "content": f"{role} {number} of {exchanges}: {words}"}
        for number in range(exchanges)
        for role in ("user", "assistant")
    ]
    while (answer := client.post("/v1/chat/completions", json=_body(messages, "first"))).status_code == 503:
        time.sleep(0.5)
    answer.raise_for_status()
    said = answer.json()["choices"][0]["message"]["content"]
    return [*messages, {"role": "user", "content": "first"}, {"role": "assistant", "content": said}]


def _one(client: httpx2.Client, messages: list[Any], text: str) -> float:
    """CPU milliseconds of one more turn, which the history then holds."""
    before = time.process_time()
    answer = client.post("/v1/chat/completions", json=_body(messages, text))
    spent = (time.process_time() - before) * 1000
    answer.raise_for_status()
    said = answer.json()["choices"][0]["message"]["content"]
    messages += [{"role": "user", "content": text}, {"role": "assistant", "content": said}]
    return spent


def _measured(client: httpx2.Client, repeats: int) -> dict[int, list[float]]:
    """In turns, so that both meet the same machine."""
    histories = {2: _grown(client, 0), 500: _grown(client, 249)}
    spent: dict[int, list[float]] = {size: [] for size in histories}
    for number in range(repeats):
        for size, messages in histories.items():
            spent[size].append(_one(client, messages, f"turn {number}"))
    return spent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--repeats", type=int, default=30)
    wanted = parser.parse_args()
    with cluster() as postgres, serve(postgres.database(), turn_wait_s=20.0, max_pending_turns=1000) as live:
        headers = {"Authorization": f"Bearer {live.key}"}
        with httpx2.Client(base_url=live.url, headers=headers, timeout=60) as client:
            spent = _measured(client, wanted.repeats)
    medians = {f"cpu_ms_at_{size}_messages": round(statistics.median(took), 2) for size, took in spent.items()}
    ratio = statistics.median(spent[500]) / statistics.median(spent[2])
    load = os.getloadavg()[0]
    print(json.dumps(medians | {"ratio": round(ratio, 2), "repeats": wanted.repeats, "load_1min": round(load, 1)}))


if __name__ == "__main__":
    main()
