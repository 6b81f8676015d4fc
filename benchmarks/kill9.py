"""kill -9 at length: python -m benchmarks.kill9 --cycles 300

The loop of `tests/faults/test_kill.py`, more often: API (with the relay), model worker, Postgres and a backend of it at
random moments, and every named crash point, under eight writers; with `--redis`, two APIs, relay and consumer, each a
process of its own. Each cycle is told on stderr; the figures come as JSON. Ends with 1 on any violation.
"""

import argparse
import contextlib
import random
import sys
from collections.abc import Iterator

from benchmarks.report import machine, publish
from tests.faults.cycle import Cycle, loop, plan, summary
from tests.faults.points import points_of
from tests.support.redis import redis_server
from tests.support.topology import Topology, split

QUICK = {"lease_s": "2.0", "relay_poll_s": "0.1", "turn_wait_s": "10", "watchdog_idle_s": "3"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cycles", type=int, default=300)
    parser.add_argument("--seed", type=int, default=random.randrange(2**20))
    parser.add_argument("--redis", action="store_true", help="the distributed placement")
    parser.add_argument(
        "--lease-s", default=QUICK["lease_s"], help="how long the dead are waited for; 15 in production"
    )
    parser.add_argument("--json", action="store_true", help="nothing but the JSON")
    wanted = parser.parse_args()
    before = machine()
    cycles: list[Cycle] = []
    with _topology(wanted.redis, QUICK | {"lease_s": wanted.lease_s}) as topology:
        # The distributed placement runs its tasks in a Celery worker, which passes no points of ours.
        points = ["jobs_claimed", *points_of("api", "model")] if wanted.redis else points_of("api", "worker", "model")
        kills = plan(wanted.cycles, wanted.seed, points=points, victims=sorted(topology.victims))
        for cycle in loop(topology, kills, wanted.seed):
            cycles.append(cycle)
            if not wanted.json or cycle.violations:
                print(cycle, file=sys.stderr, flush=True)
    figures = {"benchmark": "kill9", "seed": wanted.seed, "lease_s": float(wanted.lease_s), "redis": wanted.redis}
    publish(figures | {"machine": {"before": before, "after": machine()}} | summary(cycles))
    return int(any(cycle.violations or cycle.given_up for cycle in cycles))


@contextlib.contextmanager
def _topology(with_redis: bool, settings: dict[str, str]) -> Iterator[Topology]:
    if not with_redis:
        with split(settings) as topology:
            yield topology
        return
    with redis_server() as redis, split(settings, apis=2, redis_url=redis.url) as topology:
        yield topology


if __name__ == "__main__":
    sys.exit(main())
