"""Turns per second with the echo generator: python -m benchmarks.writers

32 writers on one conversation and on 500, `eventual` and `latest`, over real processes: one API with its relay, one
model worker, Postgres. Every run's history is checked; clients, service and database share the machine.
"""

import argparse
import random
import sys
from typing import Any

from benchmarks.report import machine, publish
from tests.faults.load import Load, under_load
from tests.support.topology import split
from tests.support.writers import Mix


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--writers", type=int, default=32)
    parser.add_argument("--turns-each", type=int, default=40)
    parser.add_argument("--apis", type=int, default=1)
    parser.add_argument("--seed", type=int, default=random.randrange(2**20))
    wanted = parser.parse_args()
    runs: list[dict[str, Any]] = []
    with split({}, apis=wanted.apis) as topology:
        for conversations in (1, 500):
            for consistency, eventual in (("eventual", 1.0), ("latest", 0.0)):
                mix = Mix(eventual=eventual, streamed=0.0, slow=0.0)
                turns_each = wanted.turns_each if conversations > 1 else max(1, wanted.turns_each // 2)
                load = Load(wanted.writers, conversations, turns_each, mix)
                before = machine()
                result = under_load(topology, load, wanted.seed)
                runs.append({"consistency": consistency, **result.figures, "machine": before})
    publish({"benchmark": "writers", "apis": wanted.apis, "runs": runs})
    return int(any(run["violations"] for run in runs))


if __name__ == "__main__":
    sys.exit(main())
