"""Which slots a turn was written to, which an answer read, and texts that end an answer."""

import pytest
import torch

from models.engine import SlotRead
from models.engine.provenance import PieceWritten, slots_read, slots_written
from models.engine.stop import Stop
from tests.models.helpers import answer, say


def piece(gate: list[float], words: list[str | None], attention: list[list[float]]) -> PieceWritten:
    return PieceWritten(torch.tensor([gate]), torch.tensor([attention]), words)


def test_a_slot_is_put_down_to_the_piece_it_holds_most_of():
    first = piece([0.9, 0.9, 0.1], ["my", "dog", None], [[0.1, 0.5, 0.4], [0.2, 0.2, 0.0], [1.0, 0.0, 0.0]])
    second = piece([0.2, 0.8, 0.2], ["Rex"], [[1.0], [1.0], [1.0]])
    written = slots_written([first, second])
    assert [(w.layer, w.slot) for w in written] == [(0, 1), (0, 0)]  # slot 2 was only brushed
    assert written[0].gate == pytest.approx(0.8)
    assert written[0].words == ("Rex",)
    assert written[1].gate == pytest.approx(0.9 * 0.8)
    assert written[1].words == ("dog",)  # "my" has too little attention, the mark is no word


def test_reads_leave_out_recalled_slots_and_the_null_key():
    weights = torch.zeros(1, 2, 3, 4)
    weights[..., 0, 1] = 0.9  # before the answer
    weights[..., 1:, 0] = 0.3
    weights[..., 1:, 1] = 0.1
    weights[..., 1:, 3] = 0.6
    assert slots_read([weights], 2, slice(1, None)) == (SlotRead(0, 0, 0.75), SlotRead(0, 1, 0.25))


@pytest.mark.parametrize(
    ("pieces", "texts", "shown"),
    [
        (["Your dog", " is", " called"], ["dog"], "Your "),
        (["Your d", "og is"], ["dog"], "Your "),
        (["Your d", "ay is"], ["dog"], "Your day is"),
        (["a", "b", "c"], ["abd"], "abc"),
        (["a", "b", "c"], ["c", "b"], "a"),
        (["abc"], [], "abc"),
    ],
)
def test_no_part_of_a_stop_text_is_shown(pieces, texts, shown):
    stop, out = Stop(texts), ""
    for one in pieces:
        text, stop = stop.add(one)
        out += text
        assert shown.startswith(out)
        if stop.met:
            break
    assert out + stop.held == shown


def test_an_answer_ends_before_its_stop_text(released):
    state = say(released, released.start_state(), "My dog is called Biscuit.")
    whole = answer(released, state, "What is my dog called?")[0]
    assert "Biscuit" in whole
    cut, finish = answer(released, state, "What is my dog called?", stop=["Biscuit"])
    assert cut == whole[: whole.index("Biscuit")]
    assert finish.reason == "stop"
    assert answer(released, state, "What is my dog called?", stop=["Zebra"])[0] == whole
