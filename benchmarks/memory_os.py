"""The memory OS against a dictionary, at length: python -m benchmarks.memory_os --runs 5000 --steps 100 --seconds 7200

The state machine of tests/properties/memory_os.py over the real service with the echo generator and a PostgreSQL of its
own. It ends after so many runs, or after so many seconds, whichever comes first, and says how many there were of each
step. A divergence is told with the seed that repeats it (`--seed`) and ends it with 1.
"""

import argparse
import io
import random
import sys
import tempfile
import time
from pathlib import Path

import structlog
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from benchmarks.report import machine, publish
from tests.properties.memory_os import COUNTS, MemoryOs
from tests.properties.test_conversations import Place
from tests.support.postgres import cluster

RUNS_PER_SEED = 5


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5000)
    parser.add_argument("--steps", type=int, default=100)
    parser.add_argument("--seconds", type=float, default=7200.0)
    parser.add_argument("--seed", type=int, default=random.randrange(2**20))
    wanted = parser.parse_args()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(io.StringIO()))  # the service's log
    before, began = machine(), time.monotonic()
    divergences: list[dict[str, object]] = []
    with cluster() as postgres, tempfile.TemporaryDirectory(prefix="memory-os-") as folder:
        place = Place(postgres.database(), Path(folder))
        try:
            current = wanted.seed
            while COUNTS["examples"] < wanted.runs and time.monotonic() - began < wanted.seconds and not divergences:
                divergences += _runs(place, current, wanted.steps)
                _tell(current, time.monotonic() - began)
                current += 1
        finally:
            place.stop()
    counts = dict(sorted(COUNTS.items()))
    runs = counts.pop("examples", 0)
    publish(
        {
            "benchmark": "memory_os", "first_seed": wanted.seed, "asked": {"runs": wanted.runs, "steps": wanted.steps},
            "runs": runs, "steps_taken": sum(counts.values()), "steps": counts, "divergences": divergences,
            "took_s": round(time.monotonic() - began, 1), "machine": {"before": before, "after": machine()},
        }
    )  # fmt: skip
    return int(bool(divergences))


def _runs(place: Place, number: int, steps: int) -> list[dict[str, object]]:
    """A few runs from one seed; what of them diverged."""
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    how = settings(
        deadline=None, suppress_health_check=checks, max_examples=RUNS_PER_SEED, stateful_step_count=steps,
        database=None, phases=[Phase.generate], print_blob=True,
    )  # fmt: skip
    bound = seed(number)(type("Bound", (MemoryOs,), {"place": place}))
    try:
        run_state_machine_as_test(bound, settings=how)
    except Exception as error:
        told = "\n".join([repr(error), *getattr(error, "__notes__", [])])
        print(told, file=sys.stderr, flush=True)
        return [{"seed": number, "error": told[-4000:]}]
    return []


def _tell(number: int, spent_s: float) -> None:
    runs = COUNTS["examples"]
    print(f"seed {number}: {runs} runs, {COUNTS.total() - runs} steps, {spent_s:.0f} s", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
