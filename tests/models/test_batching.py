"""Sequences of many threads decoded together: the tokens of one by one, and nobody in another's way."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from models.engine.batching import AHEAD, Batcher
from models.engine.decoding import FastDecoder
from models.rxt.model import Rxt
from tests.models.test_fast_decoding import model_of, talk

END = 3


@pytest.fixture(scope="module")
def model() -> Rxt:
    return model_of()


@pytest.fixture
def batcher(model) -> Batcher:
    return Batcher(FastDecoder(model, model.table(), rows=4), rows=4)


def noting(seen, what, then):
    """Puts `what` down, then does `then`."""
    seen.append(what)
    return then()


def drawer(seed: int):
    """A sampler with randomness of its own; None, the best, for every second seed."""
    generator = torch.Generator().manual_seed(seed)
    return (lambda scores: int(torch.multinomial(scores.softmax(-1), 1, generator=generator))) if seed % 2 else None


def allowed(model: Rxt, seed: int = 0) -> torch.Tensor:
    """Padding and every third word may not be said; which third is the seed's."""
    out = torch.zeros(len(model.table()))
    out[seed % 3 :: 3] = out[0] = float("-inf")
    return out


def start(batcher: Batcher, model: Rxt, seed: int, **changes):
    tokens, memory = talk(model, seed, 1 + seed % 9, recalled=seed % 3 == 0)
    given = {"draw": drawer(seed), "limit": 6 + seed % 20, "end": END} | changes
    return batcher.stream(tokens, memory, allowed(model, seed), **given)


def finish(stream) -> tuple[list[int], str]:
    tokens = []
    while True:
        try:
            tokens.append(next(stream))
        except StopIteration as stop:
            return tokens, stop.value


@torch.no_grad()
def one_by_one(model: Rxt, seed: int) -> tuple[list[int], str]:
    """The twin: the whole sequence again for every token."""
    tokens, memory = talk(model, seed, 1 + seed % 9, recalled=seed % 3 == 0)
    draw = drawer(seed) or (lambda scores: int(scores.argmax()))
    said: list[int] = []
    while len(said) < 6 + seed % 20:
        ids = torch.tensor([tokens + said])
        activations, _ = model.decode(ids, ids != 0, model.table(), memory, None)
        token = draw(model.logits(activations[0, -1], model.table()) + allowed(model, seed))
        if token == END:
            return said, "stop"
        said.append(token)
    return said, "length"


def test_forty_sequences_of_eight_threads_say_what_each_says_alone(model, batcher, monkeypatch):
    threads: list[int] = []
    step = batcher._fast.step
    monkeypatch.setattr(batcher._fast, "step", lambda *a: noting(threads, torch.get_num_threads(), lambda: step(*a)))

    def run(seed: int) -> tuple[list[int], str]:
        torch.set_num_threads(2)
        return finish(start(batcher, model, seed))

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(run, range(40)))
    assert found == [one_by_one(model, seed) for seed in range(40)]
    assert {reason for _, reason in found} == {"stop", "length"}
    assert batcher.free == 4
    assert set(threads) == {1}  # each of the eight had two


def test_sequences_are_stepped_together(model, batcher, monkeypatch):
    sizes: list[int] = []
    step = batcher._fast.step
    monkeypatch.setattr(
        batcher._fast, "step", lambda rows, tokens: noting(sizes, len(rows), lambda: step(rows, tokens))
    )
    streams = [start(batcher, model, seed, end=-1, limit=9) for seed in range(4)]
    first = [next(stream) for stream in streams]
    rest = [finish(stream)[0] for stream in streams]
    assert all(len(tokens) == 8 for tokens in rest)
    assert len(first) == 4
    assert max(sizes) == 4
    assert len(sizes) < 16  # 32 one by one


def test_closing_and_cancelling_free_the_row_at_once(model, batcher):
    flags = [False] * 4
    streams = [start(batcher, model, seed, end=-1, cancelled=lambda seed=seed: flags[seed]) for seed in range(4)]
    for stream in streams:
        next(stream)
    assert batcher.free == 0
    streams[2].close()
    assert batcher.free == 1
    flags[1] = True
    assert finish(streams[1]) == ([], "cancelled")
    assert batcher.free == 2
    assert len(finish(streams[0])[0]) == 5
    assert len(finish(streams[3])[0]) == 8
    assert batcher.free == 4
    never_read = start(batcher, model, 1)
    never_read.close()
    assert batcher.free == 4
    assert finish(start(batcher, model, 1, cancelled=lambda: True)) == ([], "cancelled")
    assert finish(start(batcher, model, 1, limit=0)) == ([], "length")
    assert finish(start(batcher, model, 1)) == one_by_one(model, 1)


def test_who_is_cancelled_while_waiting_for_a_row_leaves_the_queue(model, batcher):
    holders = [start(batcher, model, seed, end=-1) for seed in range(4)]
    for stream in holders:
        next(stream)
    asked: list[int] = []
    waiting = start(batcher, model, 9, cancelled=lambda: noting(asked, 1, lambda: len(asked) > 2))
    with ThreadPoolExecutor(1) as pool:
        # Nobody else pulls: the holders run ahead as far as they may, then there is nothing to do but to ask again.
        assert pool.submit(finish, waiting).result(timeout=30) == ([], "cancelled")
    assert not batcher._waiting
    for stream in holders:
        stream.close()
    assert batcher.free == 4


def test_what_one_raises_is_not_the_others_business(model, batcher):
    def bad_draw(scores: torch.Tensor) -> int:
        raise LookupError("draw")

    def bad_asking() -> bool:
        raise OSError("cancelled")

    good = start(batcher, model, 2)
    said = [next(good)]
    wrong = [
        (start(batcher, model, 4, draw=bad_draw), LookupError),
        (start(batcher, model, 5, cancelled=bad_asking), OSError),
        (batcher.stream([5] * 999, talk(model, 1, 1, False)[1], allowed(model), None, 4, END), ValueError),
        (batcher.stream([5], talk(model, 1, 1, False)[1], torch.zeros(3), None, 4, END), RuntimeError),
    ]
    for stream, error in wrong:
        with pytest.raises(error):
            next(stream)
        said.append(next(good))
    rest, reason = finish(good)
    assert (said + rest, reason) == one_by_one(model, 2)
    assert batcher.free == 4


def test_an_error_met_by_another_threads_step_comes_to_its_caller(model, batcher):
    calls = []

    def second_time(scores: torch.Tensor) -> int:
        calls.append(1)
        if len(calls) > 1:
            raise LookupError("draw")
        return 5

    wrong, good = start(batcher, model, 4, draw=second_time), start(batcher, model, 2)
    assert next(wrong) == 5
    assert finish(good) == one_by_one(model, 2)
    assert len(calls) == 2
    with pytest.raises(LookupError):
        next(wrong)


def test_a_failing_step_ends_its_sequences_and_nothing_else(model, batcher, monkeypatch):
    one, other = (start(batcher, model, seed, end=-1) for seed in (1, 11))
    said = [next(one), next(other)]

    def fail(rows, tokens):
        raise MemoryError("no room")

    with monkeypatch.context() as patch:
        patch.setattr(batcher._fast, "step", fail)
        with pytest.raises(MemoryError):
            finish(one)
    assert len(said) == 2
    with pytest.raises(MemoryError):  # how far the decoder got with it is not known
        finish(other)
    assert batcher.free == 4
    assert finish(start(batcher, model, 1)) == one_by_one(model, 1)


def test_a_row_in_the_middle_of_a_step_is_freed_after_it(model, batcher, monkeypatch):
    one, other = (start(batcher, model, seed, end=-1) for seed in (1, 11))
    next(one)
    next(other)
    begun, go, step = threading.Event(), threading.Event(), batcher._fast.step

    def slowly(rows, tokens):
        begun.set()
        assert go.wait(30)
        return step(rows, tokens)

    monkeypatch.setattr(batcher._fast, "step", slowly)
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(finish, one)
        assert begun.wait(30)
        other.close()
        assert batcher.free == 2
        go.set()
        running.result(timeout=30)
    assert batcher.free == 4


def test_who_does_not_read_is_not_stepped_and_delays_nobody(model, batcher):
    slow = start(batcher, model, 13, end=-1)
    said = [next(slow)]
    others = [start(batcher, model, seed) for seed in range(20)]
    assert [finish(stream) for stream in others] == [one_by_one(model, seed) for seed in range(20)]
    assert len(batcher._active) == 1
    assert len(batcher._active[0].unread) == AHEAD
    rest, reason = finish(slow)
    assert (len(said + rest), reason) == (19, "length")
    alone = start(batcher, model, 13, end=-1)
    assert finish(alone)[0] == said + rest


def test_rows_are_given_in_the_order_of_asking(model):
    batcher = Batcher(FastDecoder(model, model.table(), rows=2), rows=1)
    holder = start(batcher, model, 1, end=-1, limit=20)  # more than it may run ahead
    next(holder)
    order: list[int] = []
    threads: list[threading.Thread] = []

    def run(seed: int) -> None:
        finish(start(batcher, model, seed, end=-1, limit=1, draw=lambda scores: noting(order, seed, lambda: 5)))

    for seed in (7, 3, 5, 1):
        threads.append(threading.Thread(target=run, args=(seed,)))
        threads[-1].start()
        for _ in range(1000):
            if len(batcher._waiting) == len(threads):
                break
            threading.Event().wait(0.01)
    assert order == []
    holder.close()
    for thread in threads:
        thread.join(30)
    assert order == [7, 3, 5, 1]


def test_more_rows_than_the_decoder_has_are_refused(model):
    with pytest.raises(ValueError, match="rows"):
        Batcher(FastDecoder(model, model.table(), rows=2), rows=3)
