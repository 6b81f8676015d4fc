"""The engine's contract: reproducible, bounded, safe under threads, never raising on text."""

import itertools
import threading

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from models.engine import RxtEngine, State
from models.engine.segments import MAX_PIECES, Marks, pieces_of
from models.rxt.checkpoint import load_checkpoint
from models.rxt.state import health_of
from models.text.lexicon import MAX_ENTRIES
from tests.models.helpers import UNRELATED, answer, say


def test_advance_is_bit_for_bit_reproducible(released):
    texts = ("My dog is called Biscuit.", *UNRELATED, "Hello \u72ac!", "")
    one, two = (say(released, released.start_state(), *texts) for _ in range(2))
    assert torch.equal(one.memory, two.memory)
    assert released.dump_state(one) == released.dump_state(two)
    through_bytes = released.start_state()
    for text in texts:
        output = answer(released, through_bytes, text)[0]
        through_bytes = released.load_state(released.dump_state(released.advance(through_bytes, text, output).state))
    assert released.dump_state(through_bytes) == released.dump_state(one)


def test_a_fork_does_not_change_its_parent(released):
    parent = say(released, released.start_state(), "My dog is called Biscuit.")
    before = released.dump_state(parent)
    child = say(released, parent, "Actually my dog is called Rex.")
    answer(released, parent, "What is my dog called?", recalled=["My dog is called Nemo."])
    assert released.dump_state(parent) == before
    assert released.dump_state(child) != before


def test_threads_do_not_mix_conversations(released):
    names = ["Anna", "Bertolt", "Chiara", "Dmitri", "Edwina", "Farouk"]

    def conversation(name: str) -> tuple[bytes, list[str]]:
        state, said = released.start_state(), []
        for text in (f"My name is {name}.", *UNRELATED[:2], f"My cat is called {name[::-1]}x.", "What is my name?"):
            said.append(answer(released, state, text, temperature=0.5, seed=7)[0])
            state = released.advance(state, text, said[-1]).state
        return released.dump_state(state), said

    expected = {name: conversation(name) for name in names}
    found: dict[str, tuple[bytes, list[str]]] = {}
    gate = threading.Barrier(len(names))

    def work(name: str) -> None:
        gate.wait()
        found[name] = conversation(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == expected
    assert len({payload for payload, _ in expected.values()}) == len(names)


def test_two_generators_on_one_engine_do_not_disturb_each_other(released):
    states = [say(released, released.start_state(), f"My dog is called {n}.") for n in ("Biscuit", "Waffle")]
    expected = [answer(released, s, "What is my dog called?")[0] for s in states]
    streams = [released.generate(s, "What is my dog called?") for s in states]
    pieces: list[list[str]] = [[], []]
    for _ in range(40):
        for index, stream in enumerate(streams):
            piece = next(stream, None)
            if piece is not None:
                pieces[index].append(piece)
    assert ["".join(p) for p in pieces] == expected


def test_finish_tells_stop_length_and_cancelled(released):
    state = released.start_state()
    text, finish = answer(released, state, "Hello there.")
    assert finish.reason == "stop"
    assert 0 < finish.completion_tokens < 28
    assert finish.prompt_tokens == 6
    short, finish = answer(released, state, "Hello there.", max_tokens=2)
    assert (finish.reason, finish.completion_tokens) == ("length", 2)
    assert text.startswith(short)
    nothing, finish = answer(released, state, "Hello there.", max_tokens=0)
    assert (nothing, finish.reason, finish.completion_tokens) == ("", "length", 0)
    read: list[str] = []
    stream = released.generate(state, "Hello there.", cancelled=lambda: len(read) == 3)
    read += itertools.islice(stream, 3)
    with pytest.raises(StopIteration) as ended:
        next(stream)
    assert (ended.value.value.reason, len(read)) == ("cancelled", 3)
    assert text.startswith("".join(read))
    assert answer(released, state, "Hello there.", cancelled=lambda: True)[1].reason == "cancelled"


def test_a_seed_fixes_a_sampled_answer(released):
    state = released.start_state()
    draws = [answer(released, state, "Tell me.", temperature=3.0, seed=s)[0] for s in (1, 1, 2, 3)]
    assert draws[0] == draws[1]
    assert len(set(draws)) > 1
    answer(released, state, "Tell me.", temperature=3.0)


def test_long_input_is_bounded(tiny):
    ids = list(range(100)) * 40
    marks = Marks(frozenset((3,)), frozenset(), frozenset(), frozenset(), frozenset())
    pieces = pieces_of(ids, marks, 40)
    assert len(pieces) <= MAX_PIECES
    assert max(len(p) for p in pieces) <= 40
    assert pieces[0][:4] == [0, 1, 2, 3]
    assert pieces[-1][-1] == 99
    assert pieces_of([], marks, 40) == [[]]
    long = "word " * 10_000 + "my dog is called Biscuit."
    _, finish = answer(tiny, tiny.start_state(), long)
    assert finish.prompt_tokens <= MAX_PIECES * 40 + 3
    state = tiny.advance(tiny.start_state(), long, long).state
    assert torch.isfinite(state.memory).all()


def test_statements_are_read_one_at_a_time(released):
    tokenizer = load_checkpoint().tokenizer

    def cut(text: str) -> list[str]:
        _, ids = released.start_state().lexicon.read(text, tokenizer, 4096)
        pieces = pieces_of(ids, Marks.of(tokenizer.ids), 40)
        return [" ".join(tokenizer.words[i] if i < len(tokenizer) else "*" for i in piece) for piece in pieces]

    assert cut("My dog is called Zibb. My cat is called Zobb.") == ["my dog is called * .", "my cat is called * ."]
    assert cut("My dog is called Zibb and my cat Zobb") == ["my dog is called *", "and my cat *"]
    assert cut("Hello! I have a dog. His name is Zibb.") == ["hello ! i have a dog . his name is * ."]
    assert cut("What is my name?") == ["what is my name ?"]


def test_the_work_of_a_turn_does_not_depend_on_the_turn(tiny):
    """Counted, not timed: the sizes of every tensor product are the same at turn 1 and at turn 20."""

    def shapes(state: State) -> list[tuple[str, str]]:
        with torch.profiler.profile(record_shapes=True) as profile:
            tiny.advance(state, "my dog is called Rex", "yes")
            answer(tiny, state, "what is my dog called ?", max_tokens=3)
        return sorted((e.key, str(e.input_shapes)) for e in profile.events() if "mm" in e.name or "attention" in e.name)

    early = tiny.start_state()
    late = say(tiny, early, *(f"my dog{i}x is called Rex{i}" for i in range(20)))
    assert shapes(early) == shapes(late)
    assert len(late.lexicon.entries) <= MAX_ENTRIES


def test_recalled_texts_are_bounded_and_leave_no_trace(tiny):
    state = tiny.start_state()
    texts = [f"my cat is called Tom{i}" for i in range(200)]
    _, finish = answer(tiny, state, "hello", recalled=texts)
    assert finish.prompt_tokens <= 16 * 40 + 43
    assert state.lexicon.entries == {}


def test_health_is_finite_and_tells_rest_from_change(released):
    start = released.start_state()
    step = released.advance(start, "My dog is called Biscuit.", "Got it, your dog is called Biscuit.")
    assert set(step.health) == {
        "slot_diversity", "gate_mean", "gate_max", "drift", "distance_to_start", "collapsed",
    }  # fmt: skip
    assert step.health["drift"] > 0.1
    assert step.health["drift"] == pytest.approx(step.health["distance_to_start"])
    assert 0.2 < step.health["slot_diversity"] < 1.2
    assert 0.0 < step.health["gate_mean"] < step.health["gate_max"] <= 1.0
    assert step.health["collapsed"] == 0.0


def test_equal_slots_raise_the_alarm(tiny):
    flat = State(tiny.start_state().memory[:, :1].expand(-1, 4, -1).clone(), tiny.start_state().lexicon)
    assert tiny.advance(flat, "", "").health["slot_diversity"] < 0.5
    start = tiny.start_state().memory
    assert health_of(start, flat.memory, start, [torch.zeros(2, 4)])["collapsed"] == 1.0
    assert health_of(start, start, start, [torch.zeros(2, 4)])["collapsed"] == 0.0
    assert health_of(start, start, start, [])["drift"] == 0.0


@pytest.mark.parametrize(
    "text", ["", " ", "\0", "\ud800", "\U0001f600" * 99, "?" * 500, "a" * 5000, "I", "[BOS] [A] x"]
)
def test_odd_texts(tiny, text):
    state = tiny.advance(tiny.start_state(), text, text).state
    answer(tiny, state, text, recalled=[text])
    tiny.load_state(tiny.dump_state(state))


@settings(max_examples=25, deadline=None)
@given(text=st.text(max_size=200), output=st.text(max_size=80))
def test_no_text_raises(tiny: RxtEngine, text: str, output: str):
    state = tiny.advance(tiny.start_state(), text, output).state
    answer(tiny, state, output, recalled=[text], max_tokens=6)
    payload = tiny.dump_state(state)
    assert tiny.dump_state(tiny.load_state(payload)) == payload
