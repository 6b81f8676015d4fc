"""Reinforcement: rewards by hand, samples that are what the policy says, objectives that push the right way."""

import random
from dataclasses import replace

import pytest
import torch

from models.rxt.config import preset
from models.rxt.model import Rxt
from models.text.tokenizer import EOS, PAD
from models.training.batch import Batch, draw_batch
from models.training.conversations.compile import build_language
from models.training.conversations.dialogue import Plan
from models.training.recipe import RECIPES
from models.training.reinforce import METHODS, SAMPLES, advantages, per_token, roll_out, score
from models.training.reward import REWARDS, bleu, cosine, exact, length
from models.training.stages.reinforce import ReinforceStage
from models.training.train import Arguments, Run

TABLE = torch.eye(12)


@pytest.fixture(scope="module")
def drawn() -> tuple[Rxt, Batch]:
    language = build_language()
    torch.manual_seed(0)
    model = Rxt(preset("tiny", len(language.tokenizer)))
    return model, draw_batch(language, random.Random(0), Plan(2, 2, 3, plain=True), 2, model.config.rows)


def test_rewards_by_hand():
    right = [3, 4, 5, 6, 7]
    assert bleu(right, right) == pytest.approx(1.0)
    assert bleu([], right) == bleu([8, 9], right) == 0.0
    # 4 of 5 words, then (2 + 1) / (4 + 1) pairs, (1 + 1) / (3 + 1) triples, (0 + 1) / (2 + 1) fours
    assert bleu([3, 4, 5, 9, 7], right) == pytest.approx((0.8 * 0.6 * 0.5 / 3) ** 0.25)
    assert bleu([3, 4], right) == pytest.approx(2.718281828 ** (1 - 5 / 2))
    assert cosine([3, 4], [4, 3], TABLE) == pytest.approx(1.0)
    assert cosine([3], [4], TABLE) == 0.0
    assert length([1, 2], right) == pytest.approx(0.4)
    assert length([], []) == 0.0
    assert REWARDS["mixed"](right, right, TABLE) == pytest.approx(1.0)
    assert REWARDS["mixed"]([3, 4, 5, 9, 7], right, TABLE) == pytest.approx(
        0.4 * (0.8 * 0.6 * 0.5 / 3) ** 0.25 + 0.5 * 0.8 + 0.1
    )
    assert (exact(right, right, TABLE), exact(right[:4], right, TABLE)) == (1.0, 0.0)


def test_the_mixed_reward_hardly_minds_the_wrong_name():
    """Why there is an exact one."""
    right, wrong = [1, 2, 3, 4, 5, 6], [1, 2, 3, 4, 9, 6]
    assert REWARDS["mixed"](wrong, right, TABLE) > 0.7
    assert REWARDS["exact"](wrong, right, TABLE) == 0.0


def test_an_answer_is_compared_with_the_others_to_its_question():
    found = advantages(torch.tensor([1.0, 0.0, 0.0, 0.5, 0.5, 0.5]), 3)
    torch.testing.assert_close(found, torch.tensor([1.0, -0.5, -0.5, 0.0, 0.0, 0.0]))


def test_a_rollout_is_what_the_policy_says(drawn):
    model, batch = drawn
    rollout = roll_out(model, batch, torch.Generator().manual_seed(0))
    assert len(rollout.answers) == len(batch.prompts) * SAMPLES
    assert PAD not in {t for answer in rollout.answers for t in answer}
    again = score(model, rollout)
    torch.testing.assert_close(again.chosen, rollout.log_probs, atol=1e-4, rtol=0)
    said = [tuple(t for t in row if t not in (PAD, EOS)) for row in rollout.batch.targets.tolist()]
    assert tuple(said) == rollout.answers
    for inputs, targets, answer in zip(rollout.batch.prompts, rollout.batch.targets, rollout.answers, strict=True):
        start = int((targets != PAD).int().argmax())
        assert inputs[start + 1 : start + 1 + len(answer)].tolist() == list(answer)
        assert int((targets == EOS).sum()) == 1
    wanted = [tuple(t for t in row if t not in (PAD, EOS)) for row in batch.targets.tolist()]
    assert rollout.wanted[::SAMPLES] == tuple(wanted)
    other = roll_out(model, batch, torch.Generator().manual_seed(1))
    assert other.answers != rollout.answers
    assert len(set(rollout.answers[:SAMPLES])) > 1


@pytest.mark.parametrize("name", sorted(METHODS))
def test_a_better_answer_becomes_likelier(drawn, name):
    model, batch = drawn
    policy = Rxt(model.config)
    policy.load_state_dict(model.state_dict())
    rollout = roll_out(policy, batch, torch.Generator().manual_seed(0))
    paid = torch.zeros(len(rollout.answers))
    paid[::SAMPLES] = 1.0  # the first answer to each question
    advantage = per_token(advantages(paid, SAMPLES), rollout)
    good = per_token(paid, rollout) > 0
    before = score(policy, rollout).chosen.detach()
    optimiser = torch.optim.SGD(policy.parameters(), 0.05)
    for _ in range(3):
        for loss in METHODS[name]().losses(policy, model, rollout, advantage):
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
    gain = score(policy, rollout).chosen.detach() - before
    assert gain[good].mean() > 0
    assert gain[good].mean() > gain[~good].mean()


def test_ppo_stops_at_its_clip(drawn):
    """Beyond the clip an answer's advantage pulls no further; only entropy, KL and drift are left."""
    model, batch = drawn
    rollout = roll_out(model, batch, torch.Generator().manual_seed(0))
    far = replace(rollout, log_probs=rollout.log_probs - 1.0)  # every ratio is e
    grads = []
    for advantage in (torch.ones(len(far.log_probs)), torch.zeros(len(far.log_probs))):
        advantage = advantage + torch.linspace(0.0, 1e-3, len(advantage))
        model.zero_grad()
        next(METHODS["ppo"]().losses(model, model, far, advantage.abs())).backward()
        grads.append(torch.cat([p.grad.flatten() for p in model.decoder.parameters() if p.grad is not None]))
    torch.testing.assert_close(grads[0], grads[1], atol=1e-6, rtol=1e-3)


def test_the_stage_pays_by_its_recipe():
    for name in ("reinforce", "reinforce_exact"):
        recipe = replace(RECIPES[name], dialogues=2, probes=2)
        run = Run(Arguments(stage="reinforce", preset="tiny", recipe=name), recipe)
        assert isinstance(run.stage, ReinforceStage)
        before = run.stage.reference.state_dict()["word_table"].clone()
        run.advance()
        assert torch.equal(run.stage.reference.word_table, before)
        # An untrained model never says the wanted answer: only the mixed reward tells its answers apart.
        assert torch.equal(run.model.word_table, before) == (name == "reinforce_exact")
        assert 0.0 <= run.evaluate()["reward"] <= 1.0
