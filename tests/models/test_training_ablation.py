"""The ablation: its toy language asks what was told, its arms cover every variant, an arm keeps to its time."""

import random

import pytest
import torch

from models.rxt.config import RxtConfig
from models.rxt.gates import GATES
from models.rxt.memory_attention import MEMORY_ATTENTION
from models.rxt.model import Rxt
from models.text.tokenizer import PAD
from models.training.ablation import BASE, RECIPE, Arm, arms, run, toy_at
from models.training.batch import loss_of
from models.training.conversations.compile import build_language
from models.training.stages import STAGES
from models.training.toy import KEYS, Toy, toy_tokenizer


def test_the_toy_asks_what_was_told():
    words = toy_tokenizer()
    assert len(words) < 60
    rng = random.Random(0)
    kinds = set()
    for _ in range(30):
        turns, probes = Toy(turns=5, facts=3, probes=4).dialogue(words, rng, list(range(100, 103)))
        assert len(turns) == 5
        told = {}
        for turn in turns:
            value = [t for t in turn.said if t >= 100]
            if value:
                told[next(t for t in turn.said if t < 100 and words.words[t] in KEYS)] = value[0]
        assert sorted(told.values()) == [100, 101, 102]
        for probe in probes:
            key = next(t for t in probe.said if words.words[t] in KEYS)
            assert probe.values == ((told[key],) if probe.kind == "fact" else ())
            assert (probe.kind == "abstain") == (key not in told)
            kinds.add(probe.kind)
    assert kinds == {"fact", "abstain"}


def test_a_toy_batch_is_a_batch():
    words = toy_tokenizer()
    torch.manual_seed(0)
    model = Rxt(RxtConfig(words=len(words), **(BASE | {"width": 16, "ffn": 16, "slots": 4})))
    batch = Toy(turns=3, facts=2).draw(words, random.Random(0), 5, model.config.rows)
    assert batch.history.shape[0] == 15
    assert batch.prompts.shape == batch.targets.shape == batch.weights.shape
    assert ((batch.weights > 0) == (batch.targets != PAD)).all()
    assert torch.isfinite(loss_of(model, batch))


def test_the_curriculum_grows():
    assert [toy_at(share).facts for share in (0.0, 0.2, 0.5, 0.9)] == [1, 2, 4, 6]


def test_the_arms_cover_every_variant_and_stage():
    listed = list(arms())
    assert len({arm.name for arm in listed}) == len(listed)
    gates = {arm.config["gate"] for arm in listed if "gate" in arm.config} | {BASE["gate"]}
    kinds = {arm.config["memory_attention"] for arm in listed if "memory_attention" in arm.config}
    assert gates == set(GATES)
    assert kinds | {BASE["memory_attention"]} == set(MEMORY_ATTENTION)
    assert {name for arm in listed for name, _ in arm.chain} == set(STAGES)
    for arm in listed:
        assert sum(share for _, share in arm.chain) == pytest.approx(1.0)
        Rxt(RxtConfig(words=40, **(BASE | arm.config)))


def test_an_arm_keeps_to_its_time():
    chain = (("joint", 0.3), ("memory", 0.3), ("supervised", 0.4))
    small = {"width": 16, "ffn": 16, "slots": 4, "rows": 16}
    line = run(Arm("stages", "small", small, RECIPE, chain), build_language(), 0.3, 0)
    assert {"arm", "facts_1", "facts_2", "facts_4", "facts_6", "abstains", "loss", "steps", "seed"} <= set(line)
    assert line["steps"] >= 3
    assert 0.3 <= line["cpu_s"] < 3.0
