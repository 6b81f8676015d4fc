"""The stateless twin: prefix-cached equals computed anew, batched equals one by one, and it trains as RxT does."""

import json
import random
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from models.baselines.checkpoint import load_twin, save_twin
from models.baselines.engine import History, TwinEngine
from models.baselines.stateless import TWINS, ContentAttention, Layout, Stateless, StatelessConfig, trained_parameters
from models.errors import CheckpointCorrupt
from models.rxt.checkpoint import MANIFEST, WEIGHTS, load_checkpoint
from models.rxt.config import preset
from models.rxt.model import Rxt
from models.text.tokenizer import PAD, Tokenizer
from models.training.batch import Batch, draw_batch
from models.training.conversations.compile import Language, build_language
from models.training.conversations.dialogue import Plan
from models.training.recipe import RECIPES
from models.training.twin import TwinRun, lay_out, loss_of, train
from tests.models.conftest import WORDS


def shaken(words: int, seed: int = 0) -> Stateless:
    """A tiny twin in which every part matters."""
    torch.manual_seed(seed)
    model = Stateless(StatelessConfig(words=words, **TWINS["tiny"]))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter), alpha=0.1)
    return model.eval().requires_grad_(False)


def whole(model: Stateless, tokens: list[int], table: torch.Tensor) -> torch.Tensor:
    """Scores [N, C] of one sequence, computed plainly."""
    length = len(tokens)
    ids, positions = torch.tensor([tokens]), torch.arange(length)[None]
    previous = torch.where(positions > 0, positions - 1, length)
    mask = torch.ones(length, length, dtype=torch.bool).tril()[None, None]
    return model.logits(model(model.inputs(ids, previous, table), Layout(positions, previous, mask))[0], table)


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    tokenizer = Tokenizer.build(WORDS, {"i": "I"})
    save_twin(tmp_path, shaken(len(tokenizer)), tokenizer)
    return tmp_path


def test_it_is_about_as_large_as_the_shipped_rxt() -> None:
    words = 1500
    twin = trained_parameters(Stateless(StatelessConfig(words=words)))
    assert abs(twin / trained_parameters(Rxt(preset("shipped", words))) - 1) < 0.02


@pytest.mark.parametrize("plan", [Plan(4, 3, 4), Plan(6, 5, 5, blank=0.5)])
def test_probes_side_by_side_equal_one_by_one(language: Language, plan: Plan) -> None:
    model = shaken(len(language.tokenizer))
    batch = draw_batch(language, random.Random(3), plan, 4, model.config.rows)
    joined, table = lay_out(batch, 96), model.table(batch.rows)
    hidden = model(model.inputs(joined.tokens, joined.layout.previous, table), joined.layout)
    histories, longest = batch.history.view(4, -1), batch.prompts.shape[1]
    for dialogue in range(4):
        told = [t for t in histories[dialogue].tolist() if t != PAD]
        for probe in range(plan.probes):
            asked = [t for t in batch.prompts[dialogue * plan.probes + probe].tolist() if t != PAD]
            columns = [(joined.source[dialogue] == probe * longest + k).nonzero()[0, 0] for k in range(len(asked))]
            expected = whole(model, told + asked, table)[len(told) :]
            found = model.logits(hidden[dialogue, columns], table)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_loss_is_that_of_the_targets(language: Language) -> None:
    model = shaken(len(language.tokenizer))
    batch = draw_batch(language, random.Random(4), Plan(3, 2, 3), 3, model.config.rows)
    table, total, weight = model.table(batch.rows), 0.0, 0.0
    for row, prompt in enumerate(batch.prompts):
        told = [t for t in batch.history.view(3, -1)[row // 3].tolist() if t != PAD]
        asked = [t for t in prompt.tolist() if t != PAD]
        scores = whole(model, told + asked, table)[len(told) :].log_softmax(-1)
        for place, target in enumerate(batch.targets[row].tolist()):
            if target != PAD:
                total -= float(scores[place, target] * batch.weights[row, place])
                weight += float(batch.weights[row, place])
    assert float(loss_of(model, batch)) == pytest.approx(total / weight, abs=1e-4)


def test_stretched_turns_keep_their_order_and_their_words(language: Language) -> None:
    batch: Batch = draw_batch(language, random.Random(5), Plan(5, 3, 3), 6, 64)
    plain, stretched = lay_out(batch, 2000), lay_out(batch, 2000, random.Random(1))
    first = plain.layout.first
    moved = 0
    for told, before, after in zip(
        plain.tokens[:, :first], plain.layout.positions, stretched.layout.positions, strict=True
    ):
        places, calm = after[:first][told != PAD], before[:first][told != PAD]
        assert calm.tolist() == list(range(len(calm)))
        assert (places.diff() > 0).all()
        assert int(after.max()) < 2000
        moved += int(after.max()) > int(before.max())
    assert 0 < moved < 6


def test_prefix_cached_equals_computed_anew(folder: Path) -> None:
    engine = TwinEngine.load(folder)
    model, table = load_twin(folder).model, load_twin(folder).model.table()
    history, lengths = engine.start(), []
    for turn in range(6):
        before = history
        answer = engine.answer(history, f"My dog is called Rex{turn}. Hello! What is it?")
        history = engine.advance(history, f"My dog is called Rex{turn}.", answer)
        lengths.append(history.length)
        assert lengths[-1] <= model.config.context
        assert engine.answer(before, f"My dog is called Rex{turn}. Hello! What is it?") == answer, "the past stays"
        engine.answer(engine.advance(before, "My cat is called x.", "yes"), "hello")  # a fork disturbs nobody
        fresh, told = [1, 2, 9, 3], [token for interaction in history.interactions for token in interaction]
        found = engine._read(history.prefix.at(len(told)), len(told), history.last(4), fresh, keep=False)
        torch.testing.assert_close(found, whole(model, told + fresh, table)[-1], atol=1e-5, rtol=0)
    assert lengths[0] < lengths[1], "turns add up"
    assert lengths[-1] < sum(lengths[:1]) * 6, "and fall out of the context"
    assert engine.bytes_held(history) == lengths[-1] * 2 * 4 * 16 * 4


def test_the_oldest_interactions_fall_out_whole(folder: Path) -> None:
    engine = TwinEngine.load(folder)
    history: History = engine.start()
    for turn in range(8):
        history = engine.advance(history, f"My dog is called Rex{turn}.", "Yes.")
    kept = history.interactions
    assert 1 < len(kept) < 8
    assert all(interaction[0] == 1 and interaction[-1] == 4 for interaction in kept)  # [BOS] ... [EOS]


def test_recalled_lines_change_the_prompt_alone(folder: Path) -> None:
    engine = TwinEngine.load(folder)
    history = engine.advance(engine.start(), "hello", "hello")
    length = history.length
    answers = {engine.answer(history, "What is it?", recalled) for recalled in ([], ["My dog is called Rex."])}
    assert history.length == length
    assert len(answers) == 2


def test_a_folder_is_checked(folder: Path, tiny_folder: Path) -> None:
    with pytest.raises(CheckpointCorrupt, match="kind"):
        load_twin(tiny_folder)
    with pytest.raises(CheckpointCorrupt):
        load_checkpoint(folder)
    body = bytearray((folder / WEIGHTS).read_bytes())
    body[-1] ^= 1
    (folder / WEIGHTS).write_bytes(body)
    with pytest.raises(CheckpointCorrupt, match="SHA-256"):
        load_twin(folder)
    (folder / MANIFEST).unlink()
    with pytest.raises(CheckpointCorrupt):
        load_twin(folder)


def test_a_run_goes_on_to_the_same_losses_and_ends_in_a_folder(tmp_path: Path) -> None:
    recipe = RECIPES["tiny"]
    through = TwinRun("tiny", recipe, 0)
    losses = [through.advance() for _ in range(recipe.steps)]
    half = train("tiny", replace(recipe, steps=2), 0, tmp_path)
    rest = TwinRun("tiny", replace(recipe, steps=4), 0)
    rest.resume(tmp_path)
    assert (half.step, rest.step) == (2, 2)
    assert [rest.advance(), rest.advance()] == pytest.approx(losses[2:], abs=0.02)  # bf16 ends at another step
    lines = [json.loads(line) for line in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert lines[-1]["step"] == 2
    assert load_twin(tmp_path).model.config == half.model.config


def test_an_update_learns_from_the_batch() -> None:
    run = TwinRun("tiny", replace(RECIPES["tiny"], warm_up=1, adam_lr=0.01), 0)
    losses = []
    for _ in range(60):
        run.step = 0  # the same batch again
        losses.append(run.advance())
    assert losses[-1] < 0.5 * losses[0]


def test_content_attention_by_hand() -> None:
    torch.manual_seed(0)
    attention = ContentAttention(8, 2)
    with torch.no_grad():
        attention.null_key.normal_()
        attention.null_bias.copy_(torch.tensor([0.5, -1.0]))
        x = torch.randn(1, 3, 8)
        keys, values = attention.split(attention.key(x)), attention.split(attention.value(x))
        mask = torch.ones(3, 3, dtype=torch.bool).tril()[None, None]
        found = attention(x, keys, values, mask)[0, 1]  # the second token sees two
        mixed = []
        for head in range(2):
            query = attention.query(x)[0, 1, 4 * head : 4 * head + 4] / 2
            scores = [float(query @ keys[0, head, seen]) for seen in range(2)]
            null = float(query @ attention.null_key[head] + attention.null_bias[head])
            weights = torch.tensor([*scores, null]).softmax(0)[:2]  # what went to the null key reads nothing
            mixed.append(weights @ values[0, head, :2])
        torch.testing.assert_close(found, attention.out(torch.cat(mixed)), atol=1e-6, rtol=0)
