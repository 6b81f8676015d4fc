"""Training: the language holds out what it says, runs continue bit for bit, the recipe's parts do what they claim."""

import json
import random
from dataclasses import replace

import pytest
import torch

from models.rxt.checkpoint import load_checkpoint
from models.text.tokenizer import THINK
from models.training.batch import draw_batch, write_turns
from models.training.conversations.compile import ANY, Language, build_language
from models.training.conversations.dialogue import Plan, draw_dialogue
from models.training.optim import orthogonalise
from models.training.probe import Talker, has
from models.training.recipe import RECIPES
from models.training.train import Run, train


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language()


def test_held_out_phrasings_are_not_trained(language):
    held = 0
    for patterns in language.facts:
        for trained, unseen in zip(patterns.trained, patterns.unseen, strict=True):
            assert not set(trained) & set(unseen)
            held += len(unseen)
    assert held > 60
    assert sum(len(t.unseen) for t in language.topics) > 60
    marked = replace(
        language,
        facts=tuple(replace(f, unseen=(((THINK,),),) * 3) for f in language.facts),
        topics=tuple(replace(t, unseen=((THINK,),)) for t in language.topics),
    )
    words = len(language.tokenizer)

    def unseen_ones(plan: Plan) -> int:
        rng = random.Random(0)
        drawn = [draw_dialogue(marked, rng, list(range(words, words + 90)), plan) for _ in range(40)]
        return sum(THINK in turn.said for turns, probes in drawn for turn in turns + probes)

    assert unseen_ones(Plan(6, 4, 4)) == 0
    assert unseen_ones(Plan(6, 4, 4, unseen=True)) > 40


def test_dialogues_follow_their_plan(language):
    rng = random.Random(1)
    words = len(language.tokenizer)
    for _ in range(50):
        turns, probes = draw_dialogue(language, rng, list(range(words, words + 90)), Plan(9, 5, 6))
        assert len(turns) == 9
        assert len(probes) == 6
        for turn in turns + probes:
            assert min(turn.said, default=0) > ANY
            assert set(turn.values) <= set(turn.answer)


def test_the_newest_value_is_the_answer(language):
    rng = random.Random(2)
    words = len(language.tokenizer)
    checked = 0
    for _ in range(60):
        plan = Plan(8, 3, 6, corrections=1.0, plain=True, known_value=0.0, long_value=0.0)
        turns, probes = draw_dialogue(language, rng, list(range(words, words + 90)), plan)
        told = [t.values[0] for t in turns if t.kind == "told"]
        for probe in probes:
            if probe.kind == "corrected":
                same = [v for t in turns for v in t.values if t.answer[-4:-2] == probe.answer[-4:-2]]
                assert told.index(probe.values[0]) > 0 or same
                checked += 1
    assert checked > 50


def test_a_run_continues_bit_for_bit(tmp_path):
    recipe = RECIPES["tiny"]
    whole = Run("tiny", recipe, 0)
    losses = [whole.advance() for _ in range(4)]
    half = Run("tiny", recipe, 0)
    first = [half.advance() for _ in range(2)]
    half.save(tmp_path)
    rest = Run("tiny", recipe, 0)
    rest.resume(tmp_path)
    assert rest.step == 2
    assert first + [rest.advance() for _ in range(2)] == losses
    for one, other in zip(whole.model.parameters(), rest.model.parameters(), strict=True):
        assert torch.equal(one, other)
    assert any(not torch.equal(a, b) for a, b in zip(whole.model.parameters(), half.model.parameters(), strict=True))


def test_a_run_ends_in_a_checkpoint_and_a_log(tmp_path):
    run = train("tiny", RECIPES["tiny"], 0, tmp_path)
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 4
    assert load_checkpoint(tmp_path).model.config == run.model.config


def test_batched_writing_equals_writing_one_by_one(language):
    torch.manual_seed(0)
    model = Run("tiny", RECIPES["tiny"], 0).model
    batch = draw_batch(language, random.Random(0), Plan(3, 2, 2, plain=True), 3, model.config.rows)
    table = model.table(batch.rows)
    with torch.no_grad():
        together, _ = write_turns(model, batch, table)
        for index in range(3):
            memory = model.start_memory(1)
            for row in batch.history[3 * index : 3 * index + 3]:
                tokens = row[row != 0][None]
                mask = tokens != 0
                memory, _ = model.write(memory, model.encode(tokens, mask, table), mask)
            torch.testing.assert_close(together[index], memory[0], atol=1e-5, rtol=0)


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((2, 16, 16), (1, 32, 8), (1, 8, 32)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert values.max() < 1.4
        assert values.median() > 0.6


def test_a_right_answer_has_the_value_and_no_other():
    assert has("Your dog is called Rex.", "Rex", ["Rex", "Tom"])
    assert not has("Your dog is called Rexo.", "Rex", [])
    assert not has("Rex or Tom.", "Rex", ["Rex", "Tom"])
    assert not has("I don't know your dog's name yet.", "Rex", [])


def test_probe_talkers_keep_held_out_phrasings_apart():
    trained, unseen = Talker(1), Talker(1, unseen=True)
    fact = trained.facts(1, one_family=True)[0]
    told = {trained.tell(fact, "VV").replace(fact.key, "KK") for _ in range(300)}
    held = {unseen.tell(fact, "VV").replace(fact.key, "KK") for _ in range(300)}
    assert not told & held
    assert len(held) > 3
    assert len({f.key for f in trained.facts(8, one_family=True)}) == 8


def test_the_recipe_makes_no_leaps_where_its_decay_changes():
    recipe = RECIPES["shipped"]
    for decay in recipe.decays:
        before, after = recipe.rate(decay.first_step - 1)[0], recipe.rate(decay.first_step)[0]
        assert abs(before - after) < 0.3 * recipe.low_lr
    assert recipe.rate(recipe.steps - 1)[0] < 0.05 * recipe.low_lr
    assert recipe.rate(0)[0] < recipe.rate(recipe.warm_up)[0] == recipe.high_lr
