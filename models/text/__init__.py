"""Text on its way to tokens and back: words, the table of known words, the lexicon of the others, spelling."""

from models.text.lexicon import Lexicon
from models.text.tokenizer import Tokenizer

__all__ = ["Lexicon", "Tokenizer"]
