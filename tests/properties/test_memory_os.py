"""The memory OS against a dictionary: see tests/properties/memory_os.py. How many runs of how many steps there are is
bounded by the time that `make test` may take; benchmarks/memory_os.py runs as many as it is given, and counts them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.properties.memory_os import MemoryOs
from tests.properties.test_conversations import Place
from tests.support.postgres import Cluster


@pytest.fixture
def place(postgres_cluster: Cluster, tmp_path: Path) -> Iterator[Place]:
    running = Place(postgres_cluster.database(), tmp_path)
    yield running
    running.stop()


def _run(place: Place, runs: int, steps: int) -> None:
    machine = type("Bound", (MemoryOs,), {"place": place})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    how = settings(
        deadline=None, suppress_health_check=checks, max_examples=runs, stateful_step_count=steps, print_blob=True,
        # Not shrunk: that takes minutes against a real service. The printed blob repeats a failure.
        phases=[Phase.explicit, Phase.generate],
    )  # fmt: skip
    run_state_machine_as_test(machine, settings=how)


@pytest.mark.timeout(240)
def test_everything_is_what_the_dictionary_says(place: Place) -> None:
    _run(place, 25, 30)


@pytest.mark.full
@pytest.mark.timeout(3600)
def test_everything_is_what_the_dictionary_says_at_length(place: Place) -> None:
    _run(place, 200, 30)
