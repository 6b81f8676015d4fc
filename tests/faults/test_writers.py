"""Many writers at once, over two API processes that each run a relay: one line of turns and states per conversation,
whoever writes (P3), and every answer from a state that its consistency allows.
"""

import random
from collections.abc import Iterator

import pytest

from tests.faults.load import Load, under_load
from tests.support.topology import Topology, split


@pytest.fixture(scope="module")
def topology() -> Iterator[Topology]:
    with split({"relay_poll_s": "0.1"}, apis=2) as running:
        yield running


@pytest.mark.timeout(300)
@pytest.mark.parametrize(
    "load",
    [
        pytest.param(Load(writers=32, conversations=1, turns_each=6), id="32-on-one"),
        pytest.param(Load(writers=32, conversations=500, turns_each=20), id="32-on-500"),
    ],
)
def test_writers_leave_a_true_history(topology: Topology, load: Load) -> None:
    seed = random.randrange(2**20)
    result = under_load(topology, load, seed)
    print(result.figures)
    assert not result.given_up, f"seed {seed}"
    assert not result.violations, f"seed {seed}: {[str(one) for one in result.violations[:10]]}"
    assert len(result.history.turns) >= load.writers * load.turns_each
    assert {turn.consistency for turn in result.history.turns} == {"latest", "eventual"}
    if load.conversations == 1:  # the writers really met: some answer lagged behind turns of others
        assert any(turn.lag for turn in result.history.turns)
