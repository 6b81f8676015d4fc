"""Asks a model many questions at once and gives its answers as words: the teacher of `models.training.lessons`.

Notable choices
* Greedy, prompts of one length together, from the decoder as it trains.
* The table has only some of the rows, which are all alike, and behind them the words of a delta: a training step scores
  no more candidates than it needs.
"""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from models.engine.deltas import vectors_of
from models.rxt.checkpoint import Checkpoint
from models.rxt.decoder import KeysValues
from models.rxt.model import Rxt
from models.shapes import Memory
from models.text.lexicon import Entry, Lexicon
from models.text.prompt import prompt_of
from models.text.tokenizer import EOS, PAD

LONGEST_ANSWER = 16
TOGETHER = 64
HELD = 64  # rows that one conversation may take


@dataclass(frozen=True, slots=True)
class Asked:
    """A prompt, the rows that may be said beside known words, and which memory it is asked of."""

    prompt: list[int]
    rows: tuple[int, ...]
    memory: int = 0


class Reciter:
    """A checkpoint's decoder with the words of a delta beside it; `rows`: how many of the model's rows it knows."""

    def __init__(self, checkpoint: Checkpoint, words: Mapping[str, Entry], rows: int | None = None) -> None:
        self.model = checkpoint.model
        self.known: Mapping[str, int] = checkpoint.tokenizer.ids
        self._tokenizer = checkpoint.tokenizer
        config = self.model.config
        self.rows = min(config.rows, rows or config.rows)
        self._longest = config.max_query
        fresh = [key for key, entry in words.items() if entry.row >= 0]
        self.vectors = vectors_of(fresh, config.width)
        chosen = self.model.table()[: len(self._tokenizer) + self.rows].detach()
        self.table: Tensor = torch.cat((chosen, self.vectors))
        self._words = {
            key: Entry(entry.surface, self.rows + entry.row) for key, entry in words.items() if entry.row >= 0
        }

    def empty(self, rng: random.Random) -> Lexicon:
        """The lexicon of a new conversation, at any row: none of them is to be learned by heart."""
        return Lexicon({}, rng.randrange(max(1, self.rows - HELD)))

    def asked(self, question: str, lexicon: Lexicon, memory: int = 0) -> list[Asked]:
        """The question as one prompt, or nothing where it is too long for one."""
        after, ids = lexicon.read(question, self._tokenizer, self.rows)
        rows = tuple(after.rows())
        if not 0 < len(ids) <= self._longest or max(rows, default=0) >= self.rows:
            return []
        return [Asked(prompt_of(ids), rows, memory)]

    def own_prompts(self, questions: Sequence[str]) -> list[list[int]]:
        """Questions in which the delta's words are known."""
        found = (Lexicon(dict(self._words)).read(question, self._tokenizer, self.rows)[1] for question in questions)
        return [prompt_of(ids) for ids in found if 0 < len(ids) <= self._longest]

    def own_ids(self, answer: Sequence[str]) -> list[int]:
        """An answer's words, and its end."""
        ids = [self.known[key] if key in self.known else len(self.known) + self._words[key].row for key in answer]
        return [*ids, EOS]

    def answers(
        self, memory: Memory, lexicon: Lexicon, questions: Sequence[str]
    ) -> list[tuple[tuple[str, ...], float]]:
        """What is answered to each, as keys, and how surely: the log-probability of the whole answer. Nothing to what
        is too long."""
        asked = [self.asked(question, lexicon) for question in questions]
        said = iter(self._said([one for some in asked for one in some], [memory], None))
        out: list[tuple[tuple[str, ...], float]] = []
        for question, some in zip(questions, asked, strict=True):
            if not some:
                out.append(((), float("-inf")))
                continue
            names = {row: key for key, row in self._rows_after(lexicon, question).items()}
            ids, surely = next(said)
            out.append((tuple(self._key(token, names) for token in ids[:-1]), surely))
        return out

    def recite(self, asked: Sequence[Asked], memories: Sequence[Memory], model: Rxt | None = None) -> list[list[int]]:
        """Ids of the answers, each with its end; of the delta's words none is said unless `model` is another."""
        return [ids for ids, _ in self._said(asked, memories, model)]

    def _said(
        self, asked: Sequence[Asked], memories: Sequence[Memory], model: Rxt | None
    ) -> list[tuple[list[int], float]]:
        speaker = self.model if model is None else model
        own = range(len(self.known) + self.rows, len(self.table)) if model is not None else range(0)
        lengths: dict[int, list[int]] = {}
        for index, one in enumerate(asked):
            lengths.setdefault(len(one.prompt), []).append(index)
        out: list[tuple[list[int], float]] = [([], 0.0) for _ in asked]
        with torch.inference_mode():
            projected = speaker.project_memory(torch.stack(list(memories)))
            for chosen in lengths.values():
                for start in range(0, len(chosen), TOGETHER):
                    part = chosen[start : start + TOGETHER]
                    said = self._greedy(speaker, [asked[index] for index in part], projected, own)
                    for index, answer in zip(part, said, strict=True):
                        out[index] = answer
        return out

    def _greedy(
        self, model: Rxt, asked: Sequence[Asked], projected: tuple[KeysValues, ...], own: range
    ) -> list[tuple[list[int], float]]:
        ids = torch.tensor([one.prompt for one in asked])
        whose = torch.tensor([one.memory for one in asked])
        memory = tuple((keys[whose], values[whose]) for keys, values in projected)
        allowed = self._allowed(asked, own)
        activations, cache = model.decode(ids, ids != PAD, self.table, memory, None)
        said: list[list[int]] = [[] for _ in asked]
        surely = [0.0] * len(asked)
        for _ in range(LONGEST_ANSWER):
            chances = torch.log_softmax(model.logits(activations[:, -1], self.table) + allowed, -1)
            likely, best = chances.max(-1)
            for index, (token, chance) in enumerate(zip(best.tolist(), likely.tolist(), strict=True)):
                if said[index][-1:] != [EOS]:
                    said[index].append(token)
                    surely[index] += chance
            if all(one[-1] == EOS for one in said):
                break
            activations, cache = model.decode(best[:, None], best[:, None] != PAD, self.table, memory, cache)
        return [(one if one[-1] == EOS else [*one, EOS], sure) for one, sure in zip(said, surely, strict=True)]

    def _allowed(self, asked: Sequence[Asked], own: range) -> Tensor:
        """[B, C], as the engine allows it: no marks of the template, no rows without a word."""
        allowed = torch.zeros(len(asked), len(self.table))
        allowed[:, : self._tokenizer.specials] = float("-inf")
        allowed[:, EOS] = 0.0
        allowed[:, len(self.known) :] = float("-inf")
        allowed[:, own.start : own.stop] = 0.0
        for index, one in enumerate(asked):
            allowed[index, [len(self.known) + row for row in one.rows]] = 0.0
        return allowed

    def _rows_after(self, lexicon: Lexicon, question: str) -> dict[str, int]:
        after, _ = lexicon.read(question, self._tokenizer, self.rows)
        return {key: entry.row for key, entry in after.entries.items() if entry.row >= 0}

    def _key(self, token: int, names: Mapping[int, str]) -> str:
        words = self._tokenizer.words
        return words[token] if token < len(words) else names[token - len(words)]
