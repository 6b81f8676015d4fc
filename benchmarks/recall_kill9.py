"""kill -9 in the middle of adds of memories: python -m benchmarks.recall_kill9 --kills 20

Four clients add memories one by one, five at once, and by taking turns, each with a key, while the API, the model
worker, Postgres and a backend of it are killed in turn. After each kill everything that was acknowledged since the one
before is looked for by a search; at the end, once more, all of it. Published are how many were acknowledged and are not
found, how many are stored twice, and how long after the restart began the first search found something acknowledged.
Ends with 1 on any loss.
"""

import argparse
import random
import sys
from dataclasses import asdict
from typing import Any

from benchmarks.report import machine, publish, spread
from tests.faults.adding import Cycle, adding, lost, stored_twice, strike
from tests.support.topology import split

QUICK = {"lease_s": "2.0", "relay_poll_s": "0.1", "turn_wait_s": "10"}
VICTIMS = ("api", "postmaster", "backend", "model")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(2**20))
    parser.add_argument("--json", action="store_true", help="nothing but the JSON")
    wanted = parser.parse_args()
    before = machine()
    cycles: list[Cycle] = []
    with split(QUICK) as topology:
        with adding(topology, wanted.seed) as added:
            for number in range(wanted.kills):
                victim = topology.victims[VICTIMS[number % len(VICTIMS)]]
                cycles.append(strike(topology, victim, added, sum(cycle.acknowledged for cycle in cycles)))
                if not wanted.json:
                    print(cycles[-1], file=sys.stderr, flush=True)
        missing, twice = lost(topology, added.words), stored_twice(topology)
    figures: dict[str, Any] = {
        "benchmark": "recall_kill9",
        "seed": wanted.seed,
        "lease_s": float(QUICK["lease_s"]),
        "machine": {"before": before, "after": machine()},
        "kills": len(cycles),
        "acknowledged": added.kinds,
        "lost": missing + [word for cycle in cycles for word in cycle.lost],
        "stored_twice": len(twice),
        "given_up": added.given_up,
        "interrupted": sum(cycle.interrupted for cycle in cycles),
        "first_search_s": {
            name: spread([cycle.first_search_s for cycle in cycles if cycle.victim == name])
            for name in VICTIMS[: len(cycles)]
        },
        "cycles": [asdict(cycle) for cycle in cycles],
    }
    publish(figures)
    return int(bool(figures["lost"] or twice or added.given_up))


if __name__ == "__main__":
    sys.exit(main())
