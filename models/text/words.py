"""Splits any text into words, keeping how they were typed.

Notable choices
* A word's key is its lower-case form; "'s" is a word of its own, so that "Biscuit's" is Biscuit.
  A few spellings of one word share a key ("an" and "a", "favorite" and "favourite").
* Addresses and numbers are one word. A symbol is one word. White space is dropped.
* Any input is legal: lone surrogates are replaced, text is composed (NFC), very long text keeps its head and its tail.
"""

import re
import unicodedata
from dataclasses import dataclass

MAX_CHARS = 24_000
HEAD_CHARS = 12_000
MAX_WORDS = 480  # as many as the engine reads; more would push remembered words out of the lexicon unread
HEAD_WORDS = 160
MAX_WORD_CHARS = 48

_LETTER = r"(?:[^\W_]|[\u0300-\u036f\u0900-\u0dff\u0e00-\u0eff\u200c\u200d])"
_PATTERN = re.compile(
    # Bounded repetitions: matching must stay linear in the text.
    rf"https?://\S{{0,300}}[^\s.,!?)]|[\w.+-]{{1,64}}@[\w-]{{1,64}}\.[\w.-]{{0,64}}\w|\d+(?:[.,:/]\d+)+|{_LETTER}+(?:['-]{_LETTER}+)*|\S"
)
_ENDS = frozenset(".!?")
_CONTROLS = dict.fromkeys([*range(32), 127], " ")  # a state packs words between zero bytes
_SAME = {
    "an": "a", "favorite": "favourite", "fav": "favourite", "color": "colour", "im": "i'm", "ive": "i've",
    "dont": "don't", "didnt": "didn't", "cant": "can't", "isnt": "isn't", "neighbor": "neighbour",
    "mom": "mum", "pls": "please", "u": "you", "ur": "your", "thx": "thanks", "hiya": "hi",
}  # fmt: skip
_GLUED = {"whats": "what", "whos": "who", "wheres": "where", "hows": "how", "whens": "when", "thats": "that"}
_SELF = frozenset(("i", "i'm", "i've", "i'd", "i'll"))


@dataclass(frozen=True, slots=True)
class Word:
    """One word as typed. `starts`: first of its sentence. `shouted`: its whole sentence is in capitals."""

    surface: str
    key: str
    starts: bool = False
    shouted: bool = False

    @property
    def capital(self) -> bool:
        return self.surface[:1].isupper() and self.key not in _SELF

    @property
    def symbol(self) -> bool:
        return not any(c.isalnum() for c in self.surface)


def clean(text: str) -> str:
    """Valid, composed, bounded text: the first 12,000 and the last 12,000 characters of longer input are kept."""
    if len(text) > MAX_CHARS:
        text = text[:HEAD_CHARS] + " " + text[HEAD_CHARS - MAX_CHARS :]
    text = text.encode("utf-8", "replace").decode("utf-8").translate(_CONTROLS)
    return unicodedata.normalize("NFC", text).replace("\u2019", "'").replace("\u2018", "'")


def key_of(surface: str) -> str:
    """The form under which a word is looked up: one spelling per word where people have several."""
    key = surface.lower()
    return _SAME.get(key, key)


def _pieces(text: str) -> list[str]:
    out: list[str] = []
    for piece in _PATTERN.findall(clean(text)):
        stem = piece[:-2]
        if piece[-2:].lower() == "'s" and stem:
            out += [stem[:MAX_WORD_CHARS], "'s"]
        elif piece.lower() in _GLUED:
            out += [piece[:-1], "'s"]
        else:
            out.append(piece[:MAX_WORD_CHARS])
    return out


def split(text: str) -> list[Word]:
    """The words of `text`, in order; never raises. Of more than 480, the first 160 and the last 320."""
    words: list[Word] = []
    sentence: list[str] = []
    for piece in [*_pieces(text), ""]:
        if piece:
            sentence.append(piece)
        if sentence and (not piece or piece in _ENDS):
            letters = [p for p in sentence if p[0].isalpha() and p.lower() not in _SELF]
            # "MY DOG IS REX" and "My Dog Is Rex": capitals that say nothing about single words.
            titled = len(letters) > 3 and all(p[0].isupper() for p in letters)
            shouted = titled or (len(letters) > 2 and all(p.isupper() for p in letters))
            for index, p in enumerate(sentence):
                words.append(Word(p, key_of(p), starts=index == 0, shouted=shouted))
            sentence = []
    return words if len(words) <= MAX_WORDS else words[:HEAD_WORDS] + words[HEAD_WORDS - MAX_WORDS :]
