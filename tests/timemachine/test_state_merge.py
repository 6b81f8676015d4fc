"""What a merge keeps, with the released model: a few conversations of the benchmark that measures it."""

from benchmarks.state_merge import PLACES, run
from models.engine import RxtEngine


def test_replay_keeps_what_one_conversation_would_have_kept() -> None:
    found = run(RxtEngine.load(), 3, [1], 1)
    right = {(row["values"], row["strategy"]): sum(row["right"].values()) / len(PLACES) for row in found["rows"]}
    for values in ("new words", "vocabulary"):
        assert right[values, "replay"] > right[values, "average"]
        assert right[values, "replay"] > right[values, "ours alone"]
    assert right["new words", "replay"] > 0.8
