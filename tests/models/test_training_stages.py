"""Each stage trains what it should, from what it may see, and gets better at it."""

import random
from dataclasses import replace
from functools import partial

import pytest
import torch

from models.rxt.config import preset
from models.rxt.model import Rxt
from models.text.tokenizer import ANSWER, BOS, EOS, PAD, QUERY
from models.training.batch import draw_batch, loss_of, write_turns
from models.training.conversations.compile import Language, build_language
from models.training.conversations.dialogue import Plan
from models.training.optim import build_optimisers
from models.training.recipe import RECIPES, Recipe, Stage
from models.training.stages import STAGES, TrainingStage
from models.training.stages.interaction import InteractionStage
from models.training.stages.joint import JointStage, noisy_memory, spoken
from models.training.stages.memory import pooled, share_of
from models.training.stages.stage import PARTS, part_of
from models.training.train import Arguments, Run

RECIPE = replace(RECIPES["tiny"], dialogues=3)


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language()


def made(name: str, language: Language, recipe: Recipe = RECIPE) -> TrainingStage:
    torch.manual_seed(0)
    return STAGES[name](Rxt(preset("tiny", len(language.tokenizer))), language, recipe)


@pytest.mark.parametrize("name", ["joint", "interaction", "memory", "supervised"])
def test_a_stage_moves_its_parts_and_gets_better(name):
    recipe = replace(RECIPES["tiny"], dialogues=8, high_lr=0.02, adam_lr=0.01, warm_up=1, stages=(Stage(0, 3, 2),))
    run = Run(Arguments(stage=name, preset="tiny", recipe="tiny"), recipe)
    before = {key: p.detach().clone() for key, p in run.model.named_parameters()}
    losses = [run.advance() for _ in range(30)]
    assert sum(losses[-5:]) < sum(losses[:5]) - 0.2, losses
    moved = {part_of(key) for key, p in run.model.named_parameters() if not torch.equal(p, before[key])}
    assert moved == run.stage.trained(0)
    assert run.evaluate()


def test_a_stage_trains_what_the_one_before_it_had_frozen(language):
    model = made("memory", language).model
    STAGES["memory"](model, language, RECIPE).freeze(0)
    assert not model.word_table.requires_grad
    stage = STAGES["supervised"](model, language, RECIPE)
    owned = [p for o in build_optimisers(stage.model, 0.1, 0.1) for g in o.param_groups for p in g["params"]]
    assert len(owned) == len(list(model.parameters()))


def test_every_parameter_belongs_to_a_part(language):
    model = Rxt(preset("tiny", 100))
    assert {part_of(name) for name, _ in model.named_parameters()} == PARTS


def test_the_decoder_cannot_read_the_future_out_of_the_encoder(language):
    """What stands for the memory carries no gradient, half of its tokens are noise alone, the others are half noise."""
    torch.manual_seed(0)
    encoded = (torch.randn(4, 2, 500, 16) * 3.0).requires_grad_()
    mask = torch.ones(4, 500, dtype=torch.bool)
    mask[:, 400:] = False
    slots = noisy_memory(encoded, mask, torch.Generator().manual_seed(1))
    assert not slots.requires_grad
    alike = torch.cosine_similarity(slots, encoded, dim=-1)
    shares = (alike[..., :400] > 0.5).float().mean(), (alike[..., 400:] > 0.8).float().mean()
    assert 0.35 < shares[0] < 0.5
    assert shares[1] == 0.0
    assert 0.65 < alike[..., :400][alike[..., :400] > 0.5].mean() < 0.8  # half signal, half noise: 1 / sqrt(2)
    assert slots.square().mean() < encoded.square().mean() * 1.1


def test_hidden_tokens_are_guessed_without_being_seen(language, monkeypatch):
    stage = made("joint", language)
    batch = stage.draw(0, random.Random(0))
    assert isinstance(stage, JointStage)
    seen: list[torch.Tensor] = []
    encode = stage.model.encode

    def watched(tokens, *rest):
        seen.append(tokens)
        return encode(tokens, *rest)

    monkeypatch.setattr(stage.model, "encode", watched)
    _, targets, _, hidden = stage.parts(batch, torch.Generator().manual_seed(0))
    tokens = spoken(batch)
    covered = (seen[0] == PAD) & (tokens != PAD)
    assert torch.equal(tokens[covered], hidden)
    assert 0.05 < float(covered.sum() / (tokens != PAD).sum()) < 0.3
    assert len(targets) == int((tokens != PAD).sum()) - len(tokens)


def test_interaction_predicts_answers_only(language):
    stage, joint = made("interaction", language), made("joint", language)
    assert isinstance(stage, InteractionStage)
    assert isinstance(joint, JointStage)
    tokens = torch.tensor([[BOS, QUERY, 9, 10, ANSWER, 11, 12, EOS, PAD], [BOS, QUERY, 9, ANSWER, EOS, 0, 0, 0, 0]])
    assert stage.predicted(tokens).int().tolist() == [[0, 0, 0, 0, 0, 1, 1, 1, 0], [0, 0, 0, 0, 1, 0, 0, 0, 0]]
    assert joint.predicted(tokens).int().tolist() == [
        [0, 1, 1, 1, 1, 1, 1, 1, 0],
        [0, 1, 1, 1, 1, 0, 0, 0, 0],
    ]


def test_stretches_of_an_interaction_are_the_slots_targets():
    encoded = torch.tensor([1.0, 3.0, 5.0, 99.0]).view(1, 1, 4, 1).repeat(2, 1, 1, 1)
    mask = torch.tensor([[True, True, True, False], [False] * 4])
    assert pooled(encoded, mask, 3)[:, 0, :, 0].tolist() == [[1.0, 3.0, 5.0], [0.0, 0.0, 0.0]]
    torch.testing.assert_close(pooled(encoded, mask, 6)[0, 0, :, 0], torch.tensor([1.0, 1, 3, 3, 5, 5]))
    torch.testing.assert_close(pooled(encoded, mask, 2)[0, 0, :, 0], torch.tensor([(1 + 1.5) / 1.5, (1.5 + 5) / 1.5]))
    assert [round(share_of(turn, 0.0), 2) for turn in range(7)] == [0.9, 0.75, 0.6, 0.45, 0.3, 0.15, 0.15]
    assert share_of(0, 1.0) == pytest.approx(1.0)


def expanded(start, count):
    return start[None].expand(count, -1, -1, -1)


def test_gradients_cross_every_turn_or_the_last_only(language, monkeypatch):
    torch.manual_seed(0)
    model = Rxt(preset("tiny", len(language.tokenizer)))
    batch = draw_batch(language, random.Random(0), Plan(3, 2, 2, plain=True), 2, model.config.rows)
    assert batch.recalled == 0

    def reach(gradients: str) -> list[bool]:
        """Whether the loss depends, for gradients, on the memory before each update."""
        found = []
        for turn in range(batch.turns):
            kept = batch.history.view(2, batch.turns, -1).clone()
            kept[:, turn + 1 :] = PAD  # nothing is written after this turn
            until = replace(batch, history=kept.view(batch.history.shape))
            model.zero_grad()
            start = model.start.clone().requires_grad_()
            monkeypatch.setattr(model, "start_memory", partial(expanded, start))
            memory, _ = write_turns(model, until, model.table(batch.rows), gradients)
            grad = torch.autograd.grad(memory.sum(), start, materialize_grads=True)[0]
            found.append(bool(grad.abs().sum() > 0))
        monkeypatch.undo()
        return found

    assert reach("whole_window") == [True, True, True]
    assert reach("one_update") == [False, False, False]
    values, grads = {}, {}
    for gradients in ("whole_window", "one_update"):
        model.zero_grad()
        loss = loss_of(model, batch, gradients)
        loss.backward()
        values[gradients] = float(loss.detach())
        grads[gradients] = torch.cat([p.grad.flatten() for p in model.encoder.parameters() if p.grad is not None])
    assert values["whole_window"] == values["one_update"]
    assert not torch.allclose(grads["whole_window"], grads["one_update"])


def constant(batch, step, rng):
    return batch


def test_tensors_are_made_where_the_model_is(language, monkeypatch):
    """Without a second device: every tensor that a step makes after its batch says on which device."""
    from torch.overrides import TorchFunctionMode

    makers = {torch.zeros, torch.ones, torch.full, torch.arange, torch.randn, torch.rand, torch.eye, torch.tensor}

    class Watched(TorchFunctionMode):
        def __torch_function__(self, function, types, args=(), kwargs=None):
            kwargs = kwargs or {}
            assert function not in makers or kwargs.get("device") is not None, function
            return function(*args, **kwargs)

    for name in STAGES:
        stage = made(name, language)
        batch = stage.draw(0, random.Random(0))
        monkeypatch.setattr(stage, "draw", partial(constant, batch))
        with Watched():
            for loss in stage.losses(0, random.Random(0)):
                assert torch.isfinite(loss)
