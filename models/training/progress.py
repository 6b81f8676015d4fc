"""What a run shows and leaves behind: a bar on a terminal, a log of JSON lines always, saves that are whole or not
there.

Notable choices
* The log of a run that was killed is cut back to the step it continues from, so no step is in it twice.
* Files are written under another name, flushed to disk and renamed: a kill leaves the old save or the new one.
"""

import json
import os
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    ProgressColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.text import Text
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

LOG, SAVED, CURVES = "log.jsonl", "progress.safetensors", "curves.png"


def _settle(fresh: Path, path: Path) -> None:
    with fresh.open("rb") as file:
        os.fsync(file.fileno())
    fresh.replace(path)


def save_tensors(path: Path, tensors: dict[str, Tensor], meta: dict[str, str]) -> None:
    """Writes named tensors and texts, atomically. `meta` must not be empty."""
    fresh = path.with_suffix(".new")
    save_file({name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}, fresh, meta)
    _settle(fresh, path)


def load_tensors(path: Path) -> tuple[dict[str, Tensor], dict[str, str]]:
    """What `save_tensors` wrote."""
    with safe_open(path, "pt") as file:
        meta: dict[str, str] = file.metadata()
    return load_file(path), meta


class Log:
    """JSON lines, one for each logged step."""

    def __init__(self, path: Path, step: int) -> None:
        """Goes on after `step`: lines of later steps were written by a run whose later steps are lost."""
        self.path = path
        kept = []
        for line in path.read_text().splitlines() if path.exists() else ():
            try:
                if json.loads(line)["step"] <= step:
                    kept.append(line)
            except ValueError:  # the last line of a killed run may be half a line
                break
        fresh = path.with_suffix(".new")
        fresh.write_text("".join(f"{line}\n" for line in kept))
        _settle(fresh, path)

    def write(self, entry: dict[str, Any]) -> None:
        """Appends a line."""
        with self.path.open("a") as file:
            file.write(json.dumps(entry) + "\n")


class _Figures(ProgressColumn):
    def render(self, task: Task) -> Text:
        pace = "" if task.speed is None else f"  {task.speed:.1f} steps/s"
        return Text("" if task.fields["loss"] is None else f"loss {task.fields['loss']:.4f}{pace}")


class Bar:
    """Step, loss, steps per second and time left, on stderr; nothing where that is no terminal."""

    def __init__(self, stage: str, step: int, steps: int, console: Console | None = None) -> None:
        self._console = Console(stderr=True) if console is None else console
        self._progress = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            _Figures(),
            TimeRemainingColumn(),
            console=self._console,
            disable=not self._console.is_terminal,
            transient=False,
        )
        self._task = self._progress.add_task(stage, total=steps, completed=step, loss=None)

    def __enter__(self) -> "Bar":
        self._progress.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._progress.stop()

    def advance(self, loss: float) -> None:
        """One step is done."""
        self._progress.update(self._task, advance=1, loss=loss)

    def say(self, remark: str) -> None:
        """A line above the bar; on stderr also without a terminal."""
        self._console.print(remark, highlight=False, markup=False, soft_wrap=True)
