"""Sentence embeddings for recall: all-MiniLM-L6-v2, and folders of its kind, in plain torch, offline."""

from models.embed.sentence_encoder import DIMENSION, PRECISIONS, SentenceEncoder
from models.errors import EmbedderUnavailable

__all__ = ["DIMENSION", "PRECISIONS", "EmbedderUnavailable", "SentenceEncoder"]
