"""Which engines a worker can load, by name. Neural code knows nothing of memos, so its refusals are put into the
contract's words here; everything else passes through."""

import tempfile
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from memos.generation.distiller import Distiller
from memos.generation.echo import EchoEngine
from memos.generation.engine import (
    Difference,
    Engine,
    Finish,
    SlotDrift,
    SlotRead,
    SlotWrite,
    StateRejected,
    Step,
    TensorChange,
)
from memos.kit.errors import StartupError
from workers.model.distiller import ProcessDistiller


@dataclass(frozen=True, slots=True)
class EngineOptions:
    """No checkpoint: the released one. Engines without weights take no notice."""

    checkpoint: Path | None = None
    device: str = "auto"
    state_dtype: str = "float32"
    precision: str = "float32"
    distil_dir: Path = Path(tempfile.gettempdir()) / "memos-distil"


@dataclass(frozen=True, slots=True)
class Loaded:
    """An engine, what every computing thread must do before its first computation, and who trains its deltas."""

    engine: Engine[Any]
    prepare_thread: Callable[[], None]
    distiller: Distiller


class RxtAdapter:
    """`models.engine.RxtEngine` as an `Engine`."""

    def __init__(self, options: EngineOptions) -> None:
        from models.engine import RxtEngine
        from models.errors import CheckpointCorrupt, DeviceUnavailable

        try:
            self._engine = RxtEngine.load(
                options.checkpoint, state_dtype=options.state_dtype, device=options.device, precision=options.precision
            )
        except CheckpointCorrupt as error:
            raise StartupError(
                f"the model's checkpoint cannot be used: {error}",
                hint="Restore the released files, or name another folder with --checkpoint.",
            ) from error
        except DeviceUnavailable as error:
            raise StartupError(str(error), hint="Use --device auto or --device cpu.") from error

    @property
    def identity(self) -> dict[str, Any]:
        return dict(self._engine.identity)

    @property
    def fingerprint(self) -> str:
        return str(self._engine.fingerprint)

    def start_state(self) -> Any:
        return self._engine.start_state()

    def load_state(self, payload: bytes) -> Any:
        from models.errors import StateRejected as Refused

        try:
            return self._engine.load_state(payload)
        except Refused as error:
            raise StateRejected(str(error), error.fields) from error

    def load_delta(self, payload: bytes) -> Any:
        from models.errors import DeltaMismatch
        from models.errors import StateRejected as Refused

        try:
            return self._engine.load_delta(payload)
        except DeltaMismatch as error:
            raise StateRejected(str(error), error.fields) from error
        except Refused as error:
            raise StateRejected(str(error)) from error

    def dump_state(self, state: Any) -> bytes:
        return self._engine.dump_state(state)

    def generate(
        self,
        state: Any,
        text: str,
        *,
        recalled: Sequence[str] = (),
        deltas: Sequence[Any] = (),
        max_tokens: int = 64,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Generator[str, None, Finish]:
        finish = yield from self._engine.generate(
            state,
            text,
            recalled=recalled,
            deltas=deltas,
            max_tokens=max_tokens,
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            seed=seed,
            stop=stop,
            cancelled=cancelled,
        )
        return finish

    def advance(self, state: Any, text: str, output: str) -> Step[Any]:
        step = self._engine.advance(state, text, output)
        return Step(step.state, step.health, tuple(SlotWrite(w.layer, w.slot, w.gate, w.words) for w in step.written))

    def reads(
        self, state: Any, text: str, output: str, recalled: Sequence[str] = (), deltas: Sequence[Any] = ()
    ) -> Sequence[SlotRead]:
        found = self._engine.reads(state, text, output, recalled, deltas)
        return [SlotRead(read.layer, read.slot, read.share) for read in found]

    def diff(self, before: Any, after: Any) -> Difference:
        found = self._engine.diff(before, after)
        tensors = tuple(TensorChange(t.name, t.norm, t.before, t.after) for t in found.tensors)
        return Difference(tensors, tuple(SlotDrift(s.layer, s.slot, s.norm, s.drift) for s in found.slots))

    def merge(self, base: Any, ours: Any, theirs: Any) -> Step[Any]:
        step = self._engine.merge(base, ours, theirs)
        return Step(step.state, step.health)


def _one_torch_thread() -> None:
    """Torch keeps the number of threads per thread: one set at start-up would not reach the pool's."""
    import torch

    torch.set_num_threads(1)


def _rxt(options: EngineOptions) -> Loaded:
    training = ["--state-dtype", options.state_dtype]
    if options.checkpoint is not None:
        training += ["--checkpoint", str(options.checkpoint.absolute())]
    return Loaded(RxtAdapter(options), _one_torch_thread, ProcessDistiller(options.distil_dir, training))


def _echo(revision: int) -> Callable[[EngineOptions], Loaded]:
    def load(options: EngineOptions) -> Loaded:
        engine = EchoEngine(revision)
        return Loaded(engine, lambda: None, engine.distiller())

    return load


ENGINES: Mapping[str, Callable[[EngineOptions], Loaded]] = {"rxt": _rxt, "echo": _echo(1), "echo-2": _echo(2)}


def load_engine(name: str, options: EngineOptions) -> Loaded:
    if name not in ENGINES:
        raise StartupError(f"there is no engine named {name!r}", hint=f"Use one of: {', '.join(sorted(ENGINES))}.")
    return ENGINES[name](options)
