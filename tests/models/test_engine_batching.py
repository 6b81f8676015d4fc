"""Answers of many conversations decoded together are those given one by one."""

from concurrent.futures import ThreadPoolExecutor

import torch

from models.rxt.decoder import KeysValues
from models.text.tokenizer import PAD
from tests.models.helpers import UNRELATED, answer, say

NAMES = ("Biscuit", "Pepper", "Juno", "Otto", "Mika", "Basil", "Cleo", "Figaro")
QUESTIONS = ("What is my dog called?", "Hello there.", "What is my cat called?", *UNRELATED)


def test_together_as_one_by_one(released):
    """The words are the same; scores may differ by float noise, so a near tie could turn: none does here."""
    states = [say(released, released.start_state(), f"My dog is called {name}.") for name in NAMES]
    turns = [(state, question) for state in states for question in QUESTIONS]
    alone = [answer(released, *turn) for turn in turns]
    assert any(name in text for name, (text, _) in zip(NAMES, alone[:: len(QUESTIONS)], strict=True))
    with ThreadPoolExecutor(12) as pool:
        together = list(pool.map(lambda turn: answer(released, *turn), turns))
    assert together == alone


def test_seeds_hold_in_company(released):
    state = released.start_state()
    alone = [answer(released, state, "Tell me.", temperature=2.0, top_k=20, seed=seed)[0] for seed in range(16)]
    assert len(set(alone)) > 8
    with ThreadPoolExecutor(8) as pool:
        again = pool.map(
            lambda seed: answer(released, state, "Tell me.", temperature=2.0, top_k=20, seed=seed)[0], range(16)
        )
    same = sum(one == other for one, other in zip(alone, again, strict=True))
    assert same >= 14  # float noise of a batch may turn a draw


@torch.inference_mode()
def test_the_engine_decodes_what_the_trained_decoder_decodes(released):
    """Greedy words by the training path, whole sequence again for every token."""
    state = say(released, released.start_state(), "My dog is called Biscuit.")
    model, table = released._model, released._table
    for question in QUESTIONS:
        prompt = released._prepare(state, question, ())
        memory: tuple[KeysValues, ...] = prompt.memory
        allowed = released._allowed(prompt)
        slow: list[int] = []
        for _ in range(20):
            ids = torch.tensor([[*prompt.tokens, *slow]])
            activations, _ = model.decode(ids, ids != PAD, table, memory, None)
            slow.append(int((model.logits(activations[0, -1], table) + allowed).argmax()))
        fast = list(released._batcher.stream(prompt.tokens, memory, allowed, None, 20, end=-1))
        assert fast == slow
