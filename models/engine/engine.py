"""The engine of one loaded model: text and a state in, text or a state out.

Notable choices
* An engine holds weights and tables, nothing of a conversation; several threads may call it at once on any states.
* One thread of arithmetic and a batch of one: `advance` gives the same bits whenever and wherever in a queue it runs.
* Of a message longer than one piece (`models.engine.segments`), the earlier pieces are written to memory and the last
  is the prompt. Messages beyond 12 pieces keep their first 4 and last 8, answers their first tokens: the bounds are
  fixed, so no input makes a turn slow, and no text raises.
* Recalled texts are written to a fresh memory that the decoder reads beside the conversation's. To the model they are
  older knowledge: what the conversation itself says wins.
"""

from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from models.engine.payload import fingerprint_of, pack, unpack
from models.engine.segments import READING, Marks, pieces_of
from models.rxt.checkpoint import Checkpoint, load_checkpoint
from models.rxt.decoder import KeysValues
from models.rxt.sampler import sample, sampler_of
from models.rxt.state import State, health_of
from models.text.lexicon import MAX_BYTES, MAX_ENTRIES, Lexicon
from models.text.spelling import Spelling
from models.text.tokenizer import ANSWER, BOS, EOS, PAD, QUERY, THINK

MAX_RECALLED = 16
THREADS = 1


@dataclass(frozen=True, slots=True)
class Finish:
    """How a generation ended; lengths in tokens."""

    reason: Literal["stop", "length", "cancelled"]
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A turn, ready for decoding."""

    memory: tuple[KeysValues, ...]
    lexicon: Lexicon
    tokens: list[int]
    read: int  # tokens read in all: recalled texts, earlier pieces, prompt


def _one_thread() -> None:
    """The setting is per thread of the caller, and a call, even one token of an answer, may come from a new thread."""
    if torch.get_num_threads() != THREADS:
        torch.set_num_threads(THREADS)


class RxtEngine:
    """A Reactive Transformer at text level."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._model = checkpoint.model
        self._tokenizer = checkpoint.tokenizer
        self._config = checkpoint.model.config
        self._table = checkpoint.model.table().detach()
        self._marks = Marks.of(self._tokenizer.ids)
        config = self._config
        self.identity: dict[str, Any] = {
            "model": config.name,
            "weights_sha256": checkpoint.weights_sha256,
            "tokenizer_sha256": checkpoint.tokenizer_sha256,
            "reading": READING,
            "dtype": "float32",
            "state_shape": {
                "layers": config.layers,
                "slots": config.slots,
                "width": config.width,
                "rows": config.rows,
                "lexicon_entries": MAX_ENTRIES,
                "lexicon_bytes": MAX_BYTES,
            },
            "numerics": {
                "torch": torch.__version__,
                "threads": THREADS,
                "device": "cpu",
                "isa": torch.backends.cpu.get_cpu_capability(),
            },
        }
        self.fingerprint: str = fingerprint_of(self.identity)

    @classmethod
    def load(cls, path: Path | None = None) -> "RxtEngine":
        """The checkpoint in folder `path`, or the released one. Raises CheckpointCorrupt.

        Sets torch to one thread for the whole process: sums in another order would change a state's bits.
        """
        torch.set_num_threads(THREADS)
        return cls(load_checkpoint(path))

    def start_state(self) -> State:
        """The state of a conversation nobody has said anything in; always the same."""
        return State(self._model.start, Lexicon.empty())

    def load_state(self, payload: bytes) -> State:
        """The state in a payload. Raises StateMismatch (another model) or StateCorrupt (damaged)."""
        return unpack(payload, self.identity)

    def dump_state(self, state: State) -> bytes:
        """Safetensors bytes, of the same length for every state; equal states give equal bytes."""
        return pack(state, self.identity)

    def generate(
        self,
        state: State,
        text: str,
        *,
        recalled: Sequence[str] = (),
        max_tokens: int = 64,
        temperature: float = 0.0,
        seed: int | None = None,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[str, None, Finish]:
        """Yields the answer in pieces of text; returns how it ended. `state` is not changed.

        `recalled`: texts found by recall, the most relevant first; the first 16 are read, one piece each. `cancelled`
        is asked before every token. Answers end after the model's own maximum even if `max_tokens` is higher.
        """
        prompt = self._prepare(state, text, recalled)
        allowed = self._allowed(prompt.lexicon)
        surfaces = prompt.lexicon.rows()
        casing = prompt.lexicon.casing()
        generator = sampler_of(seed)
        limit = min(max_tokens, self._config.max_answer)
        spelling, cache, tokens, count = Spelling(), None, prompt.tokens, 0
        reason: Literal["stop", "length", "cancelled"] = "length"
        while count < limit:
            if cancelled():
                reason = "cancelled"
                break
            _one_thread()
            with torch.inference_mode():
                ids = torch.tensor([tokens])
                activations, cache = self._model.decode(ids, ids != PAD, self._table, prompt.memory, cache)
                scores = self._model.logits(activations[0, -1], self._table) + allowed
                token = sample(scores, temperature, generator)
            if token == EOS:
                reason = "stop"
                break
            count += 1
            piece, spelling = spelling.add(*self._surface(token, surfaces, casing))
            if piece:
                yield piece
            tokens = [token]
        rest = spelling.finish()
        if rest:
            yield rest
        return Finish(reason, prompt.read, count)

    def advance(self, state: State, text: str, output: str) -> State:
        """The state after the turn (`text`, `output`); `state` is not changed. Bit for bit reproducible.

        An empty output (a redacted or imported turn) is legal. Of `output` the first tokens are read, as many as the
        model ever answers.
        """
        lexicon, said = self._read(state.lexicon, text)
        lexicon, answer = self._read(lexicon, output)
        pieces = pieces_of(said, self._marks, self._config.max_query)
        memory = state.memory
        for piece in pieces[:-1]:
            memory = self._write(memory, piece, [])
        memory = self._write(memory, pieces[-1], answer[: self._config.max_answer])
        return State(memory, lexicon)

    def health(self, parent: State, state: State) -> dict[str, float]:
        """`slot_diversity`, `gate_mean`, `drift`, `distance_to_start`; see `models.rxt.state.health_of`."""
        with torch.inference_mode():
            return health_of(parent.memory, state.memory, self._model.start)

    def _read(self, lexicon: Lexicon, text: str) -> tuple[Lexicon, list[int]]:
        return lexicon.read(text, self._tokenizer, self._config.rows)

    def _write(self, memory: Tensor, said: list[int], answer: list[int]) -> Tensor:
        """One interaction into one memory [L, S, D]."""
        _one_thread()
        with torch.inference_mode():
            ids = torch.tensor([[BOS, QUERY, *said, ANSWER, *answer, EOS]])
            mask = torch.ones_like(ids, dtype=torch.bool)
            written = self._model.write(memory[None], self._model.encode(ids, mask, self._table), mask)
        return written.memory[0]

    def _prepare(self, state: State, text: str, recalled: Sequence[str]) -> _Prompt:
        lexicon, read = state.lexicon, 0
        beside: Tensor | None = None
        for recollection in reversed(recalled[:MAX_RECALLED]):  # the most relevant is written last: newest wins
            lexicon, ids = self._read(lexicon, recollection)
            piece = pieces_of(ids, self._marks, self._config.max_query)[0]
            beside = self._write(self._model.start if beside is None else beside, piece, [])
            read += len(piece)
        lexicon, said = self._read(lexicon, text)
        pieces = pieces_of(said, self._marks, self._config.max_query)
        memory = state.memory
        for piece in pieces[:-1]:
            memory = self._write(memory, piece, [])
        _one_thread()
        with torch.inference_mode():
            projected = self._model.project_memory(memory[None], None if beside is None else beside[None])
        tokens = [BOS, QUERY, *pieces[-1], ANSWER]
        read += sum(len(p) for p in pieces[:-1]) + len(tokens)
        return _Prompt(projected, lexicon, tokens, read)

    def _allowed(self, lexicon: Lexicon) -> Tensor:
        """[V + R], 0 for what may be said and -inf for the rest: template marks, rows without a word."""
        words = len(self._tokenizer)
        allowed = torch.zeros(words + self._config.rows)
        allowed[words:] = float("-inf")
        allowed[[PAD, BOS, QUERY, ANSWER, THINK]] = float("-inf")
        rows = list(lexicon.rows())
        if rows:
            allowed[[words + row for row in rows]] = 0.0
        return allowed

    def _surface(self, token: int, surfaces: dict[int, str], casing: dict[str, str]) -> tuple[str, bool]:
        """How a token is written, and whether it is a mark."""
        words = self._tokenizer.words
        if token >= len(words):
            return surfaces[token - len(words)], False
        word = words[token]
        written = casing.get(word, self._tokenizer.display.get(word, word))
        return written, not word[0].isalnum() and word != "'s"
