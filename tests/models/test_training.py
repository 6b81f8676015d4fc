"""Training: runs continue bit for bit, the recipe's parts do what they claim."""

import random

import pytest
import torch

from models.rxt.config import preset
from models.rxt.model import Rxt
from models.training.batch import draw_batch, write_turns
from models.training.conversations.compile import Language, build_language
from models.training.conversations.dialogue import Plan
from models.training.optim import orthogonalise
from models.training.recipe import RECIPES


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language()


def test_batched_writing_equals_writing_one_by_one(language):
    torch.manual_seed(0)
    model = Rxt(preset("tiny", len(language.tokenizer)))
    batch = draw_batch(language, random.Random(0), Plan(3, 2, 2, plain=True), 3, model.config.rows)
    table = model.table(batch.rows)
    with torch.no_grad():
        together, _ = write_turns(model, batch, table)
        for index in range(3):
            memory = model.start_memory(1)
            for row in batch.history[3 * index : 3 * index + 3]:
                tokens = row[row != 0][None]
                mask = tokens != 0
                memory = model.write(memory, model.encode(tokens, mask, table), mask).memory
            torch.testing.assert_close(together[index], memory[0], atol=1e-5, rtol=0)


def test_orthogonalised_matrices_have_singular_values_near_one():
    torch.manual_seed(0)
    for shape in ((2, 16, 16), (1, 32, 8), (1, 8, 32)):
        values = torch.linalg.svdvals(orthogonalise(torch.randn(shape)))
        assert values.max() < 1.4
        assert values.median() > 0.6


def test_the_recipe_makes_no_leaps_where_its_decay_changes():
    recipe = RECIPES["shipped"]
    for decay in recipe.decays:
        before, after = recipe.rate(decay.first_step - 1)[0], recipe.rate(decay.first_step)[0]
        assert abs(before - after) < 0.3 * recipe.low_lr
    assert recipe.rate(recipe.steps - 1)[0] < 0.05 * recipe.low_lr
    assert recipe.rate(0)[0] < recipe.rate(recipe.warm_up)[0] == recipe.high_lr
