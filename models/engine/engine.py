"""The engine of one loaded model: text and a state in, text or a state out.

Notable choices
* An engine holds weights and tables, nothing of a conversation; several threads may call it at once on any states.
* One thread of arithmetic and a batch of one: `advance` gives the same bits whenever and wherever in a queue it runs.
  Answers of many conversations are decoded together (`models.engine.batching`); nothing is promised of their bits.
* Of a message longer than one piece (`models.engine.segments`), the earlier pieces are written to memory and the last
  is the prompt. Messages beyond 12 pieces keep their first 4 and last 8, answers their first tokens: the bounds are
  fixed, so no input makes a turn slow, and no text raises.
* Recalled texts are written to a fresh memory that the decoder reads beside the conversation's. To the model they are
  older knowledge: what the conversation itself says wins.
* A state is rounded to the type it is stored in when it is made (`models.engine.codecs`).
* Deltas (`models.engine.deltas`) change how an answer is decoded and nothing else: a state never depends on them.
"""

from collections.abc import Callable, Generator, Iterable, Sequence
from copy import deepcopy
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from models.engine.batching import THREADS, Batcher, Reason, one_thread
from models.engine.codecs import CODECS, rounded
from models.engine.comparing import Difference, averaged, difference
from models.engine.decoding import FastDecoder
from models.engine.deltas import Delta, overlay, unpack_delta
from models.engine.device import PRECISIONS, device_of
from models.engine.payload import fingerprint_of, pack, unpack
from models.engine.provenance import PieceWritten, SlotRead, SlotWrite, slots_read, slots_written
from models.engine.segments import READING, Marks, pieces_of
from models.engine.stop import Stop
from models.rxt.checkpoint import Checkpoint, load_checkpoint
from models.rxt.decoder import KeysValues
from models.rxt.low_rank import folded, maps_of
from models.rxt.sampler import Sampling, sample, sampler_of
from models.rxt.state import State, health_of
from models.text.lexicon import MAX_BYTES, MAX_ENTRIES, Lexicon
from models.text.prompt import prompt_of
from models.text.spelling import Spelling
from models.text.tokenizer import EOS, PAD

MAX_RECALLED = 16
ROWS = 16  # answers decoded at once; more wait for a place


@dataclass(frozen=True, slots=True)
class Finish:
    """How a generation ended; lengths in tokens."""

    reason: Reason
    prompt_tokens: int
    completion_tokens: int


@dataclass(frozen=True, slots=True)
class Step:
    """A state that has taken a turn in; `health` as in `models.rxt.state.health_of`, `written` most first."""

    state: State
    health: dict[str, float]
    written: tuple[SlotWrite, ...]


@dataclass(frozen=True, slots=True)
class _Prompt:
    """A turn, ready for decoding."""

    memory: tuple[KeysValues, ...]
    lexicon: Lexicon
    tokens: list[int]
    read: int  # tokens read in all: recalled texts, earlier pieces, prompt
    table: Tensor  # of the model's words and those of the deltas
    surfaces: dict[int, str]  # of the deltas' words, by row


class RxtEngine:
    """A Reactive Transformer at text level."""

    def __init__(
        self,
        checkpoint: Checkpoint,
        *,
        state_dtype: str = "float32",
        device: str = "cpu",
        precision: str = "float32",
    ) -> None:
        """`state_dtype` is a name in `CODECS`; `device` is auto, cpu or cuda; `precision` is that of decoding, a name
        in `PRECISIONS`: memory is always written in float32. Raises KeyError, DeviceUnavailable."""
        self._codec = CODECS[state_dtype]
        self._device = device_of(device)
        self._model = checkpoint.model.to(self._device)
        self._tokenizer = checkpoint.tokenizer
        self._config = checkpoint.model.config
        self._table = self._model.table().detach()
        decoded = self._model if precision == "float32" else deepcopy(self._model).to(PRECISIONS[precision])
        self._fast = FastDecoder(decoded, decoded.table(), ROWS)
        self._batcher = Batcher(self._fast, ROWS)
        self._maps = {name: (m.out_features, m.in_features) for name, m in maps_of(self._model.decoder).items()}
        self._marks = Marks.of(self._tokenizer.ids)
        config = self._config
        self.identity: dict[str, Any] = {
            "model": config.name,
            "weights_sha256": checkpoint.weights_sha256,
            "tokenizer_sha256": checkpoint.tokenizer_sha256,
            "reading": READING,
            "dtype": state_dtype,
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
                "device": self._device.type,
                "isa": torch.backends.cpu.get_cpu_capability(),
            },
        }
        self.fingerprint: str = fingerprint_of(self.identity)
        self._start = rounded(self._model.start.cpu(), self._codec)

    @classmethod
    def load(
        cls,
        path: Path | None = None,
        *,
        state_dtype: str = "float32",
        device: str = "cpu",
        precision: str = "float32",
    ) -> "RxtEngine":
        """The checkpoint in folder `path`, or the released one. Raises CheckpointCorrupt, DeviceUnavailable.

        Sets torch to one thread for the whole process: sums in another order would change a state's bits.
        """
        torch.set_num_threads(THREADS)
        return cls(load_checkpoint(path), state_dtype=state_dtype, device=device, precision=precision)

    def start_state(self) -> State:
        """The state of a conversation nobody has said anything in; always the same."""
        return State(self._start, Lexicon.empty())

    def load_state(self, payload: bytes) -> State:
        """The state in a payload. Raises StateMismatch (another model) or StateCorrupt (damaged)."""
        return unpack(payload, self.identity)

    def load_delta(self, payload: bytes) -> Delta:
        """The delta in a payload. Raises DeltaMismatch (another model) or DeltaCorrupt (damaged)."""
        return unpack_delta(payload, self.identity, self._maps)

    def dump_state(self, state: State) -> bytes:
        """Safetensors bytes, of the same length for every state; equal states give equal bytes."""
        return pack(state, self.identity)

    def generate(
        self,
        state: State,
        text: str,
        *,
        recalled: Sequence[str] = (),
        deltas: Sequence[Delta] = (),
        max_tokens: int = 64,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[str, None, Finish]:
        """Yields the answer in pieces of text; returns how it ended. `state` is not changed.

        `recalled`: texts found by recall, the most relevant first; the first 16 are read, one piece each. `deltas`
        are mounted for this answer; nothing of them is left after it. `stop`: the answer ends before the first of these
        texts. `cancelled` is asked before every token. Answers end after the model's own maximum even if `max_tokens`
        is higher.
        """
        prompt = self._prepare(state, text, recalled, deltas)
        surfaces, casing = prompt.lexicon.rows() | prompt.surfaces, prompt.lexicon.casing()
        sampling = Sampling(temperature, top_k, top_p, seed)
        tokens = self._tokens(prompt, deltas, sampling, min(max_tokens, self._config.max_answer), cancelled)
        spelling, ending, count = Spelling(), Stop([s for s in stop if s]), 0
        reason: Reason = "stop"
        try:
            while not ending.met:
                try:
                    token = next(tokens)
                except StopIteration as end:
                    reason = end.value
                    break
                count += 1
                piece, spelling = spelling.add(*self._surface(token, surfaces, casing))
                shown, ending = ending.add(piece)
                if shown:
                    yield shown
        finally:
            tokens.close()
        if not ending.met:
            shown, ending = ending.add(spelling.finish())
            rest = shown + ending.held
            if rest:
                yield rest
        return Finish(reason, prompt.read, count)

    def _tokens(
        self,
        prompt: _Prompt,
        deltas: Sequence[Delta],
        sampling: Sampling,
        limit: int,
        cancelled: Callable[[], bool],
    ) -> Generator[int, None, Reason]:
        generator = None if sampling.greedy else sampler_of(sampling.seed)
        draw = None if generator is None else partial(sample, sampling=sampling, generator=generator)
        allowed, mount = self._allowed(prompt), self._fast.mount(deltas) if deltas else None
        return self._batcher.stream(prompt.tokens, prompt.memory, allowed, draw, limit, EOS, cancelled, mount)

    def advance(self, state: State, text: str, output: str) -> Step:
        """The step from `state` by the turn (`text`, `output`); `state` is not changed. Bit for bit reproducible.

        An empty output (a redacted or imported turn) is legal. Of `output` the first tokens are read, as many as the
        model ever answers.
        """
        lexicon, said = self._read(state.lexicon, text)
        lexicon, answer = self._read(lexicon, output)
        pieces = pieces_of(said, self._marks, self._config.max_query)
        memory, written = state.memory, []
        for index, piece in enumerate(pieces):
            reply = answer[: self._config.max_answer] if index == len(pieces) - 1 else []
            memory, part = self._write(memory, piece, reply, lexicon, self._table)
            written.append(part)
        memory = rounded(memory, self._codec)
        with torch.inference_mode():
            health = health_of(state.memory, memory, self._start, [part.gate for part in written])
        return Step(State(memory, lexicon), health, slots_written(written))

    def reads(
        self, state: State, text: str, output: str, recalled: Sequence[str] = (), deltas: Sequence[Delta] = ()
    ) -> tuple[SlotRead, ...]:
        """The slots of `state` read most while `output` is given as the answer, most first, at most 16."""
        prompt = self._prepare(state, text, recalled, deltas)
        decoder = self._model.decoder
        if deltas:
            decoder = folded(decoder, [delta.memory.factors() for delta in deltas])
        _, answer = self._read(prompt.lexicon, output)
        answer = answer[: self._config.max_answer]
        one_thread()
        with torch.inference_mode():
            ids = torch.tensor([[*prompt.tokens, *answer]], device=self._device)
            weights = decoder.reads(self._model.embed(ids, ids != PAD, prompt.table), prompt.memory)
            # The token after position n is chosen at n: the first of the answer at the end of the prompt.
            return slots_read(weights, self._config.slots, slice(len(prompt.tokens) - 1, None))

    def diff(self, before: State, after: State) -> Difference:
        """How far one memory is from another, slot by slot."""
        return difference(before.memory, after.memory)

    def merge(self, base: State, ours: State, theirs: State) -> Step:
        """Two states that came from `base` as one, slot by slot (`models.engine.comparing.averaged`). Facts that both
        wrote into one slot blur; `advance` by the other's turns keeps them apart."""
        memory = rounded(averaged(base.memory, ours.memory, theirs.memory), self._codec)
        lexicon = ours.lexicon.joined(theirs.lexicon, self._config.rows)
        return Step(State(memory, lexicon), health_of(ours.memory, memory, self._start, []), ())

    def forget_slots(self, state: State, slots: Iterable[tuple[int, int]]) -> State:
        """The state with these slots (layer, slot) as they were at the start: for experiments."""
        memory = state.memory.clone()
        for layer, slot in slots:
            memory[layer, slot] = self._start[layer, slot]
        return State(memory, state.lexicon)

    def _read(self, lexicon: Lexicon, text: str) -> tuple[Lexicon, list[int]]:
        return lexicon.read(text, self._tokenizer, self._config.rows)

    def _write(
        self, memory: Tensor, said: list[int], answer: list[int], lexicon: Lexicon, table: Tensor
    ) -> tuple[Tensor, PieceWritten]:
        """One interaction into one memory [L, S, D]."""
        one_thread()
        tokens = [*prompt_of(said), *answer, EOS]
        with torch.inference_mode():
            ids = torch.tensor([tokens], device=self._device)
            mask = torch.ones_like(ids, dtype=torch.bool)
            encoded = self._model.encode(ids, mask, table)
            new = self._model.write(memory[None].to(self._device), encoded, mask)
        words = self._spell(tokens, lexicon)
        return new.memory[0].cpu(), PieceWritten(new.gate[0].cpu(), new.attention[0].cpu(), words)

    def _spell(self, tokens: Sequence[int], lexicon: Lexicon) -> list[str | None]:
        """Each token as it is written; None for marks of the template and for punctuation."""
        surfaces, casing, specials = lexicon.rows(), lexicon.casing(), self._tokenizer.specials
        pairs = [("", True) if token < specials else self._surface(token, surfaces, casing) for token in tokens]
        return [None if mark or not word else word for word, mark in pairs]

    def _prepare(self, state: State, text: str, recalled: Sequence[str], deltas: Sequence[Delta] = ()) -> _Prompt:
        lexicon, surfaces, table, read = state.lexicon, dict[int, str](), self._table, 0
        if deltas:
            lexicon, surfaces = overlay(lexicon, deltas, self._config.rows)
            table = torch.cat((table, *(delta.vectors.to(table) for delta in deltas)))
        beside: Tensor | None = None
        for recollection in reversed(recalled[:MAX_RECALLED]):  # the most relevant is written last: newest wins
            lexicon, ids = self._read(lexicon, recollection)
            piece = pieces_of(ids, self._marks, self._config.max_query)[0]
            beside, _ = self._write(self._start if beside is None else beside, piece, [], lexicon, table)
            read += len(piece)
        lexicon, said = self._read(lexicon, text)
        pieces = pieces_of(said, self._marks, self._config.max_query)
        memory = state.memory
        for piece in pieces[:-1]:
            memory, _ = self._write(memory, piece, [], lexicon, table)
        one_thread()
        with torch.inference_mode():
            batch = memory[None].to(self._device)
            projected = self._model.project_memory(batch, None if beside is None else beside[None].to(self._device))
        tokens = prompt_of(pieces[-1])
        read += sum(len(p) for p in pieces[:-1]) + len(tokens)
        return _Prompt(projected, lexicon, tokens, read, table, surfaces)

    def _allowed(self, prompt: _Prompt) -> Tensor:
        """[C], 0 for what may be said and -inf for the rest: marks of the template, rows without a word."""
        words, specials = len(self._tokenizer), self._tokenizer.specials
        allowed = torch.zeros(len(prompt.table))
        allowed[words:] = float("-inf")
        allowed[:specials] = float("-inf")
        allowed[EOS] = 0.0
        rows = [*prompt.lexicon.rows(), *prompt.surfaces]
        if rows:
            allowed[[words + row for row in rows]] = 0.0
        return allowed.to(self._device)

    def _surface(self, token: int, surfaces: dict[int, str], casing: dict[str, str]) -> tuple[str, bool]:
        """How a token is written, and whether it is a mark."""
        words = self._tokenizer.words
        if token >= len(words):
            return surfaces.get(token - len(words), ""), False
        word = words[token]
        written = casing.get(word, self._tokenizer.display.get(word, word))
        return written, not word[0].isalnum() and word != "'s"
