"""The twin at text level: the whole conversation and a text in, an answer out.

Notable choices
* Text becomes tokens exactly as for RxT: same words, lexicon and pieces, so that only the model differs.
* Prefix-cached: a turn computes its own tokens only. Keys and values lie in buffers that grow by doubling; a history is
  a value all the same, because whoever appends to one that was appended to before gets a copy (`Prefix.at`).
* Beyond the context the oldest interactions fall out, whole ones, and the rest is computed anew, as a model without
  memory must.
* Evaluation only: greedy, one conversation at a time, not for several threads.
"""

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from models.baselines.checkpoint import Twin, load_twin
from models.baselines.stateless import Layout, StatelessConfig, trained_parameters
from models.engine.segments import Marks, pieces_of
from models.shapes import HeadActivations
from models.text.lexicon import Lexicon
from models.text.prompt import prompt_of
from models.text.spelling import Spelling
from models.text.tokenizer import ANSWER, BOS, EOS, PAD, QUERY, RECALL, THINK

MAX_RECALLED = 16
FIRST_ROOM = 256  # tokens


class Prefix:
    """Keys and values of the tokens of one history, in buffers that are written to in place."""

    def __init__(self, config: StatelessConfig, room: int = FIRST_ROOM) -> None:
        shapes = [(heads, config.width // heads) for heads in (config.heads, config.content_heads)]
        self._config = config
        self._buffers = [
            [torch.zeros(1, shapes[part // 2][0], room, shapes[part // 2][1]) for part in range(4)]
            for _ in range(config.layers)
        ]
        self._room = room
        self._kept = self._start = 0

    def at(self, length: int) -> "Prefix":
        """A prefix of the first `length` tokens that may be appended to: this one, or a copy."""
        if length == self._kept:
            self._start = length
            return self
        copy = Prefix(self._config, self._room)
        for mine, its in zip(self._buffers, copy._buffers, strict=True):
            for old, new in zip(mine, its, strict=True):
                new[:, :, :length] = old[:, :, :length]
        copy._kept = copy._start = length
        return copy

    def put(self, layer: int, part: int, fresh: HeadActivations) -> HeadActivations:
        """Writes tokens where the last ones ended; returns everything up to their end, without copying it."""
        end = self._start + fresh.shape[2]
        while end > self._room:
            self._buffers = [[torch.cat((b, torch.zeros_like(b)), dim=2) for b in parts] for parts in self._buffers]
            self._room *= 2
        buffer = self._buffers[layer][part]
        buffer[:, :, self._start : end] = fresh
        return buffer[:, :, :end]

    def went(self, count: int, *, keep: bool) -> None:
        """`count` tokens were put into every layer. Those not kept are written over by the next history or answer."""
        self._start += count
        if keep:
            self._kept = self._start


@dataclass(frozen=True, slots=True, eq=False)
class History:
    """A conversation so far: interactions within the context, oldest first, and what was computed of them."""

    lexicon: Lexicon
    interactions: tuple[tuple[int, ...], ...]
    prefix: Prefix

    @property
    def length(self) -> int:
        """Tokens."""
        return sum(len(interaction) for interaction in self.interactions)

    def last(self, count: int) -> list[int]:
        """The last tokens, at most so many."""
        tokens: list[int] = []
        for interaction in reversed(self.interactions):
            tokens[:0] = interaction
            if len(tokens) >= count:
                break
        return tokens[max(0, len(tokens) - count) :]


def interaction_of(said: Sequence[int], answer: Sequence[int] = ()) -> tuple[int, ...]:
    """One turn as the twin reads it: `[BOS] [Q] said [A] answer [EOS]`."""
    return (BOS, QUERY, *said, ANSWER, *answer, EOS)


class TwinEngine:
    """A stateless decoder at text level."""

    def __init__(self, twin: Twin) -> None:
        self._model, self._tokenizer, self._config = twin.model, twin.tokenizer, twin.model.config
        self._table = twin.model.table().detach()
        self._marks = Marks.of(self._tokenizer.ids)
        self.identity = {
            "model": self._config.name,
            "weights_sha256": twin.weights_sha256,
            "parameters": trained_parameters(twin.model),
            "context": self._config.context,
        }

    @classmethod
    def load(cls, folder: Path) -> "TwinEngine":
        """The twin in a folder. Raises CheckpointCorrupt."""
        torch.set_num_threads(1)
        return cls(load_twin(folder))

    def start(self) -> History:
        """Nothing said yet."""
        return History(Lexicon.empty(), (), Prefix(self._config))

    def bytes_held(self, history: History) -> int:
        """Bytes of keys and values that the history's tokens need."""
        per_token = self._config.layers * 4 * self._config.width * self._table.element_size()
        return history.length * per_token

    def answer(self, history: History, text: str, recalled: Sequence[str] = (), max_tokens: int = 64) -> str:
        """The greedy answer; the history stays as it is. Recalled texts stand before the question in the prompt."""
        return "".join(self.generate(history, text, recalled, max_tokens))

    def generate(
        self, history: History, text: str, recalled: Sequence[str] = (), max_tokens: int = 64
    ) -> Generator[str, None, None]:
        """The same, piece by piece."""
        lexicon, snippets = history.lexicon, []
        for recollection in recalled[:MAX_RECALLED]:
            lexicon, ids = lexicon.read(recollection, self._tokenizer, self._config.rows)
            snippets.append(pieces_of(ids, self._marks, self._config.max_query)[0])
        lexicon, said = lexicon.read(text, self._tokenizer, self._config.rows)
        *earlier, last = pieces_of(said, self._marks, self._config.max_query)
        fresh, limit = prompt_of(last, snippets), min(max_tokens, self._config.max_answer)
        history = self._append(history, lexicon, [interaction_of(piece) for piece in earlier], len(fresh) + limit)
        start, recent = history.length, history.last(self._config.window_before)
        prefix = history.prefix.at(start)
        allowed, surfaces, casing = self._allowed(lexicon), lexicon.rows(), lexicon.casing()
        spelling = Spelling()
        for _ in range(limit):
            scores = self._read(prefix, start, recent, fresh, keep=False) + allowed
            start, recent = start + len(fresh), [*recent, *fresh][-self._config.window_before :]
            token = int(scores.argmax())
            if token == EOS:
                break
            piece, spelling = spelling.add(*self._surface(token, surfaces, casing))
            yield piece
            fresh = [token]
        yield spelling.finish()

    def advance(self, history: History, text: str, output: str) -> History:
        """The history after the turn (`text`, `output`)."""
        lexicon, said = history.lexicon.read(text, self._tokenizer, self._config.rows)
        lexicon, answer = lexicon.read(output, self._tokenizer, self._config.rows)
        *earlier, last = pieces_of(said, self._marks, self._config.max_query)
        new = [interaction_of(piece) for piece in earlier]
        new.append(interaction_of(last, answer[: self._config.max_answer]))
        return self._append(history, lexicon, new, self._config.max_query + self._config.max_answer)

    def _append(self, history: History, lexicon: Lexicon, new: list[tuple[int, ...]], room: int) -> History:
        """The history with these interactions, so long that `room` more tokens fit into the context."""
        interactions = (*history.interactions, *new)
        kept = self._within(interactions, room)
        if len(kept) < len(interactions):
            history, new = History(lexicon, (), Prefix(self._config)), list(kept)
        start, fresh = history.length, [token for interaction in new for token in interaction]
        prefix = history.prefix.at(start)
        if fresh:
            self._read(prefix, start, history.last(self._config.window_before), fresh, keep=True)
        return History(lexicon, (*history.interactions, *new), prefix)

    def _within(self, interactions: tuple[tuple[int, ...], ...], room: int) -> tuple[tuple[int, ...], ...]:
        """The newest interactions that leave so much room."""
        total, kept = room, 0
        for interaction in reversed(interactions):
            total += len(interaction)
            if total > self._config.context:
                break
            kept += 1
        return interactions[len(interactions) - kept :]

    def _read(self, prefix: Prefix, start: int, recent: list[int], fresh: list[int], *, keep: bool) -> Tensor:
        """Computes `fresh` after the `start` tokens that the prefix holds, of which `recent` are the last; returns the
        scores [V + R] of the next token."""
        ids, count, reach = torch.tensor([recent + fresh]), len(fresh), len(recent)
        with torch.inference_mode():
            previous = torch.arange(ids.shape[1])[None] - 1
            previous[previous < 0] = ids.shape[1]
            x = self._model.inputs(ids, previous, self._table)[:, reach:]
            positions = torch.arange(start, start + count)[None]
            mask = torch.ones(count, start + count, dtype=torch.bool).tril(start)[None, None]
            x = self._model(x, Layout(positions, previous, mask, count - 1), prefix)
            prefix.went(count, keep=keep)
            return self._model.logits(x[0, -1], self._table)

    def _allowed(self, lexicon: Lexicon) -> Tensor:
        """[V + R], 0 for what may be said and -inf for the rest: template marks, rows without a word."""
        words = len(self._tokenizer)
        allowed = torch.zeros(words + self._config.rows)
        allowed[words:] = float("-inf")
        allowed[[PAD, BOS, QUERY, ANSWER, THINK, RECALL]] = float("-inf")
        allowed[[words + row for row in lexicon.rows()]] = 0.0
        return allowed

    def _surface(self, token: int, surfaces: dict[int, str], casing: dict[str, str]) -> tuple[str, bool]:
        """How a token is written, and whether it is a mark."""
        words = self._tokenizer.words
        if token >= len(words):
            return surfaces[token - len(words)], False
        word = words[token]
        written = casing.get(word, self._tokenizer.display.get(word, word))
        return written, not word[0].isalnum() and word != "'s"
