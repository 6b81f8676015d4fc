"""The laws of the echo engine, which are those that any engine must keep."""

import subprocess
import sys
from collections.abc import Sequence
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos.generation.echo import (
    DIGEST_BYTES,
    MAX_TURNS_HELD,
    MAX_TURNS_SHOWN,
    EchoEngine,
    EchoFinish,
    EchoState,
    held_turns,
    turn_fingerprint,
)
from memos.generation.engine import MOST_READ, SlotWrite, StateRejected

ENGINE = EchoEngine()
TURNS = st.lists(st.tuples(st.text(max_size=40), st.text(max_size=40)), max_size=12)


def fed(turns: Sequence[tuple[str, str]], state: EchoState | None = None) -> EchoState:
    state = state or ENGINE.start_state()
    for text, output in turns:
        state = ENGINE.advance(state, text, output).state
    return state


def answered(state: EchoState, text: str, **options: object) -> tuple[list[str], EchoFinish]:
    steps = ENGINE.generate(state, text, **options)  # type: ignore[arg-type]
    tokens = []
    while True:
        try:
            tokens.append(next(steps))
        except StopIteration as end:
            return tokens, end.value


@given(TURNS, st.integers(0, 12))
def test_a_history_in_chunks_with_the_state_carried_as_bytes_is_the_whole_history(turns, cut):
    carried = ENGINE.load_state(ENGINE.dump_state(fed(turns[:cut])))
    assert ENGINE.dump_state(fed(turns[cut:], carried)) == ENGINE.dump_state(fed(turns))


@given(TURNS, TURNS)
def test_equal_states_have_equal_bytes_and_different_histories_do_not(one, other):
    assert (ENGINE.dump_state(fed(one)) == ENGINE.dump_state(fed(other))) == (one == other)
    assert ENGINE.load_state(ENGINE.dump_state(fed(one))) == fed(one)


@given(TURNS, st.text())
def test_an_answer_reveals_the_turns_in_order_and_ends_with_the_input(turns, text):
    tokens, finish = answered(fed(turns), text, max_tokens=10_000)
    listed = " ".join(f"{number}:{turn_fingerprint(told)}" for number, (told, _) in enumerate(turns, 1))
    assert "".join(tokens) == f"echo {len(turns)} [{listed}] {text}"
    assert finish == EchoFinish("stop", len(text.split()), len(tokens))


@given(TURNS, st.data())
def test_a_changed_or_truncated_payload_is_refused(turns, data):
    payload = ENGINE.dump_state(fed(turns))
    at = data.draw(st.integers(0, len(payload) - 1))
    flipped = bytes([payload[at] ^ (1 << data.draw(st.integers(0, 7)))])
    for damaged in (payload[:at] + flipped + payload[at + 1 :], payload[:at], payload + b"\0"):
        with pytest.raises(StateRejected):
            ENGINE.load_state(damaged)


def test_no_single_bit_of_a_payload_can_change_unseen():
    payload = ENGINE.dump_state(fed([("a", "b"), ("c", "d")]))
    for bit in range(len(payload) * 8):
        damaged = bytearray(payload)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(StateRejected):
            ENGINE.load_state(bytes(damaged))


def test_parts_that_do_not_fit_together_are_refused():
    sound = fed([("a", "b")])
    for state in (
        EchoState(-1, sound.digests, sound.chain),
        EchoState(2, sound.digests, sound.chain),
        EchoState(MAX_TURNS_HELD + 1, sound.digests, sound.chain),
        EchoState(1, sound.digests, sound.chain[:-1]),
    ):
        stored = ENGINE.dump_state(EchoState(max(state.count, 0), state.digests, state.chain))
        stored = stored.replace(
            (max(state.count, 0)).to_bytes(8, "little"), state.count.to_bytes(8, "little", signed=True)
        )
        with pytest.raises(StateRejected):
            ENGINE.load_state(stored)


@given(st.binary(max_size=200))
def test_what_is_not_a_state_is_refused(payload):
    with pytest.raises(StateRejected):
        ENGINE.load_state(payload)


def test_a_state_of_another_model_is_refused_by_the_names_of_what_differs():
    with pytest.raises(StateRejected) as caught:
        EchoEngine(revision=2).load_state(ENGINE.dump_state(fed([("a", "b")])))
    assert set(caught.value.fields) == {"fingerprint", "model", "weights_sha256", "tokenizer_sha256"}
    assert held_turns(ENGINE.dump_state(fed([("a", "b")]))) == [(1, turn_fingerprint("a"))]


def test_a_state_stops_growing_and_keeps_the_last_turns():
    turns = [(f"turn {number}", "x") for number in range(1, MAX_TURNS_HELD + 11)]
    full, past = fed(turns[:MAX_TURNS_HELD]), fed(turns)
    assert len(ENGINE.dump_state(full)) == len(ENGINE.dump_state(past)) < MAX_TURNS_HELD * DIGEST_BYTES + 1024
    held = held_turns(ENGINE.dump_state(past))
    assert held == [(number, turn_fingerprint(f"turn {number}")) for number in range(11, len(turns) + 1)]
    shown = answered(past, "x")[0][2]
    assert shown.startswith(" [... ")
    assert shown.count(":") == MAX_TURNS_SHOWN


def test_max_tokens_counts_words_and_never_cuts_the_list_of_turns():
    state = fed([(str(number), "x") for number in range(100)])
    tokens, finish = answered(state, "one two three four", max_tokens=5)
    assert finish == EchoFinish("length", 4, 5)
    assert tokens[2].count(":") == 100
    assert tokens[3:] == [" one", " two"]
    assert answered(state, "one two", max_tokens=5)[1].reason == "stop"


def test_cancelled_is_asked_before_every_token():
    asked = []

    def cancelled() -> bool:
        asked.append(1)
        return len(asked) > 4

    tokens, finish = answered(fed([]), "one two three", cancelled=cancelled)
    assert finish == EchoFinish("cancelled", 3, 4)
    assert "".join(tokens) == "echo 0 [] one"


def test_recalled_texts_show_only_when_asked_for():
    assert "".join(answered(fed([]), "hi", recalled=["secret"])[0]) == "echo 0 [] hi"
    tokens, finish = answered(fed([]), "/recall hi", recalled=["likes tea", "has a dog"])
    assert "".join(tokens) == "echo 0 [] /recall hi | likes tea | has a dog"
    assert finish.prompt_tokens == 2 + 2 + 3


def test_the_service_side_of_generation_loads_neither_torch_nor_the_models():
    """Law 2, of the running process and not only of the import statements."""
    script = (
        "import importlib, pkgutil, sys, memos.generation as package\n"
        "for found in pkgutil.iter_modules(package.__path__, package.__name__ + '.'):\n"
        "    importlib.import_module(found.name)\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('torch', 'models', 'workers')])\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_step_writes_the_line_it_took_in_with_its_words():
    step = ENGINE.advance(fed([("a", "b")]), "My dog is called Biscuit.", "Nice.")
    assert step.written == (SlotWrite(0, 1, 1.0, ("My", "dog", "is", "called", "Biscuit.")),)
    past = fed([(f"turn {number}", "x") for number in range(MAX_TURNS_HELD)])
    assert ENGINE.advance(past, "once around", "x").written[0].slot == 0


def test_an_answer_read_the_lines_that_it_lists_and_no_other():
    state = fed([("one", "x"), ("two", "x"), ("three", "x")])
    whole = "".join(answered(state, "and?")[0])
    assert [(read.slot, round(read.share, 3)) for read in ENGINE.reads(state, "and?", whole)] == [
        (2, 0.333),
        (1, 0.333),
        (0, 0.333),
    ]
    twice = f"{whole} 2:{turn_fingerprint('two')}"
    assert [(read.slot, read.share) for read in ENGINE.reads(state, "and?", twice)] == [(1, 0.5), (2, 0.25), (0, 0.25)]
    assert ENGINE.reads(state, "and?", f"12:{turn_fingerprint('two')} 2:0000 nothing") == ()
    assert ENGINE.reads(state, "and?", "") == ()


@given(TURNS, st.text())
def test_the_slots_that_are_named_are_at_most_so_many_and_their_shares_at_most_one(turns, output):
    state = fed([*turns, *[("more", "x")] * 20])
    reads = ENGINE.reads(state, "", "".join(answered(state, output)[0]))
    assert len(reads) == MOST_READ
    assert all(earlier.share >= later.share > 0 for earlier, later in pairwise(reads))
    assert sum(read.share for read in reads) <= 1 + 1e-9


def test_health_tells_a_memory_of_many_lines_from_one_that_holds_the_same_line_again_and_again():
    well = ENGINE.advance(fed([(f"turn {number}", "x") for number in range(7)]), "turn 7", "x").health
    assert (well["slot_diversity"], well["drift"], well["collapsed"]) == (1.0, 1 / 8, 0.0)
    ill = ENGINE.advance(fed([("again", "x")] * 7), "again", "x").health
    assert (ill["slot_diversity"], ill["collapsed"]) == (1 / 8, 1.0)
    assert ENGINE.advance(fed([("again", "x")] * 6), "again", "x").health["collapsed"] == 0.0
    assert set(well) >= {"slot_diversity", "gate_mean", "drift", "distance_to_start", "collapsed"}


@given(TURNS, st.text(), st.lists(st.text(min_size=1, max_size=6), max_size=4), st.integers(1, 30))
def test_an_answer_ends_before_the_first_stop_text_and_gives_nothing_of_it_away(turns, text, stop, max_tokens):
    state = fed(turns)
    whole = "".join(answered(state, text, max_tokens=max_tokens)[0])
    pieces, finish = answered(state, text, max_tokens=max_tokens, stop=stop)
    found = [at for at in (whole.find(wanted) for wanted in stop) if at >= 0]
    assert "".join(pieces) == (whole[: min(found)] if found else whole)
    assert "" not in pieces
    if found:
        assert finish.reason == "stop"


def test_a_stop_text_across_tokens_is_found():
    tokens, finish = answered(fed([]), "one two three", stop=["o thr", "absent"])
    assert ("".join(tokens), finish.reason) == ("echo 0 [] one tw", "stop")
