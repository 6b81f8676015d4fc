"""kill -9 in the middle of adds: what was acknowledged is found by a search, and was stored once (P1, P2).

Two deaths here; `python -m benchmarks.recall_kill9` dies twenty times.
"""

import random

import pytest

from tests.faults.adding import adding, lost, stored_twice, strike
from tests.support.topology import split

QUICK = {"lease_s": "2.0", "relay_poll_s": "0.1", "turn_wait_s": "10"}


@pytest.mark.timeout(300)
def test_what_was_acknowledged_is_found() -> None:
    seed = random.randrange(2**20)
    with split(QUICK) as topology:
        checked = 0
        with adding(topology, seed) as added:
            for name in ("api", "postmaster"):
                cycle = strike(topology, topology.victims[name], added, checked)
                print(seed, cycle)
                checked += cycle.acknowledged
                assert not cycle.lost, f"seed {seed}, {cycle}"
        assert not added.given_up, f"seed {seed}"
        assert min(added.kinds.get(kind, 0) for kind in ("one", "several", "turn")) > 0, added.kinds
        assert not lost(topology, added.words[checked:]), f"seed {seed}"
        assert not stored_twice(topology), f"seed {seed}"
