"""Sentence embeddings for recall: all-MiniLM-L6-v2 in plain torch, offline."""

from models.embed.sentence_encoder import DIMENSION, SentenceEncoder
from models.errors import EmbedderUnavailable

__all__ = ["DIMENSION", "EmbedderUnavailable", "SentenceEncoder"]
