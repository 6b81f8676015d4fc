"""The Reactive Transformer: decoder, encoder, memory attention and the state they share (arXiv 2510.03561)."""

from models.rxt.config import PRESETS, RxtConfig
from models.rxt.model import Rxt

__all__ = ["PRESETS", "Rxt", "RxtConfig"]
