"""The lexicon: which row stands for which unknown word, and how known words were typed. It travels with the state.

Notable choices
* A new word takes the next free row, in a ring; a hash would let two words of one conversation meet.
* Bounded in entries and in bytes, least recently used out, so its cost does not grow with the conversation. An evicted
  word's row is not reused before the ring has come round: memory of it is silent rather than wrong.
* Values: `read` returns a new lexicon and leaves the old one as it was.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from models.text.tokenizer import Tokenizer
from models.text.words import Word, split

MAX_ENTRIES = 1024
MAX_BYTES = 16_384
MAX_SURFACE_BYTES = 64
LONGEST_NAME = 4  # words


@dataclass(frozen=True, slots=True)
class Entry:
    """`row` of an unknown word, or -1 for a known word that was typed in a way of its own."""

    surface: str
    row: int


@dataclass(frozen=True, slots=True)
class Lexicon:
    """Entries by key, least recently used first. `next_row` counts up; the row is taken modulo the number of rows."""

    entries: dict[str, Entry]
    next_row: int = 0

    @classmethod
    def empty(cls) -> "Lexicon":
        return cls({})

    def rows(self) -> dict[int, str]:
        """Row -> the word as the user typed it."""
        return {entry.row: entry.surface for entry in self.entries.values() if entry.row >= 0}

    def casing(self) -> dict[str, str]:
        """Known word -> how it was typed, where that differs from its usual form."""
        return {key: entry.surface for key, entry in self.entries.items() if entry.row < 0}

    def joined(self, other: "Lexicon", rows: int) -> "Lexicon":
        """Our words and the other's. A row that both gave to a word spells ours: what the other's memory has there
        cannot be told from it."""
        taken = set(self.rows())
        fresh = {k: e for k, e in other.entries.items() if k not in self.entries and e.row not in taken}
        entries = fresh | self.entries
        size = sum(_cost(key, entry.surface) for key, entry in entries.items())
        while len(entries) > min(MAX_ENTRIES, rows // 2) or size > MAX_BYTES:
            key = next(iter(entries))
            size -= _cost(key, entries.pop(key).surface)
        return Lexicon(entries, max(self.next_row, other.next_row))

    def read(self, text: str, tokenizer: Tokenizer, rows: int) -> tuple["Lexicon", list[int]]:
        """Token ids of `text`, and the lexicon that knows its new words. Ids of rows are V + row."""
        entries = dict(self.entries)
        state = _Reader(entries, self.next_row, tokenizer, rows)
        ids = [state.id_of(word) for word in join_names(split(text), entries, tokenizer)]
        return Lexicon(entries, state.next_row), ids


def join_names(words: Sequence[Word], entries: dict[str, Entry], tokenizer: Tokenizer) -> list[Word]:
    """Makes one word of a name of several ("New York", "Mrs Smith"), and of a name the lexicon already has."""
    out: list[Word] = []
    index = 0
    while index < len(words):
        size = _name_length(words, index, tokenizer)
        for longer in range(min(LONGEST_NAME, len(words) - index), max(size, 1), -1):
            if " ".join(w.key for w in words[index : index + longer]) in entries:
                size = longer
                break
        if size < 2:
            out.append(words[index])
            index += 1
            continue
        run = words[index : index + size]
        surface = " ".join(w.surface for w in run)
        if len(surface.encode()) <= MAX_SURFACE_BYTES:
            out.append(Word(surface, " ".join(w.key for w in run), run[0].starts, run[0].shouted))
        else:
            out.extend(run)
        index += size
    return out


def _name_length(words: Sequence[Word], index: int, tokenizer: Tokenizer) -> int:
    """Length of the run of capitalised words from `index`, 0 or 1 when there is no name of several words."""
    first = words[index]
    if not first.capital or first.shouted or (first.starts and first.key in tokenizer.ids):
        return 0
    size = 1
    while index + size < len(words) and size < LONGEST_NAME:
        word = words[index + size]
        if word.starts or word.symbol or not (word.capital or word.surface[0].isdigit()):
            break
        size += 1
    return size


class _Reader:
    """The working copy of one `read`."""

    def __init__(self, entries: dict[str, Entry], next_row: int, tokenizer: Tokenizer, rows: int) -> None:
        self.entries, self.next_row, self.tokenizer, self.rows = entries, next_row, tokenizer, rows
        self.used = {entry.row for entry in entries.values() if entry.row >= 0}
        self.size = sum(_cost(key, entry.surface) for key, entry in entries.items())

    def id_of(self, word: Word) -> int:
        known = self.tokenizer.ids.get(word.key)
        if known is not None:
            self._note_casing(word)
            return known
        old = self.entries.pop(word.key, None)
        if old is None:
            row = self._free_row()
            surface = word.surface.encode()[:MAX_SURFACE_BYTES].decode("utf-8", "ignore")
        else:
            row = old.row
            plain = word.starts or word.shouted or not word.capital
            surface = old.surface if plain else word.surface
        self.entries[word.key] = Entry(surface, row)
        self.used.add(row)
        self.size += _cost(word.key, surface)
        if old is not None:
            self.size -= _cost(word.key, old.surface)
        self.trim()
        return len(self.tokenizer) + row

    def _free_row(self) -> int:
        while self.next_row % self.rows in self.used:  # ends: at most half of the rows are in use
            self.next_row += 1
        self.next_row += 1
        return (self.next_row - 1) % self.rows

    def _note_casing(self, word: Word) -> None:
        if word.starts or word.shouted or not word.surface[0].isalpha():
            return
        old = self.entries.pop(word.key, None)
        if old is not None:
            self.size -= _cost(word.key, old.surface)
        if word.capital and word.surface != self.tokenizer.display.get(word.key):
            self.entries[word.key] = Entry(word.surface, -1)
            self.size += _cost(word.key, word.surface)
            self.trim()

    def trim(self) -> None:
        """Drops the least recently used entries until the bounds hold."""
        limit = min(MAX_ENTRIES, self.rows // 2)
        while len(self.entries) > limit or self.size > MAX_BYTES:
            key = next(iter(self.entries))
            entry = self.entries.pop(key)
            self.used.discard(entry.row)
            self.size -= _cost(key, entry.surface)


def _cost(key: str, surface: str) -> int:
    """Bytes an entry takes in a payload."""
    return len(key.encode()) + len(surface.encode())
