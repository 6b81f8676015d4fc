"""`memos train`: runs a stage of training as a process of its own, whose progress and result pass through. Nothing of
the model is imported here; its packages may even be missing, which is said before anything starts.
"""

import importlib.util
import signal
import subprocess
import sys
from pathlib import Path
from typing import Annotated

import typer

from memos.cli.session import Session, reported
from memos.kit.errors import StartupError

TRAINING_PACKAGES = ("torch", "numpy", "safetensors", "models")


class TrainingNotInstalled(StartupError):
    """The packages that training needs are not installed."""

    code = "training_not_installed"
    hint = "Install them: pip install 'memos[training]'."


def train(
    stage: Annotated[str, typer.Argument(metavar="STAGE", help="joint, interaction, memory, supervised or reinforce.")],
    out: Annotated[Path, typer.Option("--out", help="Folder for progress, log, curves and checkpoint.")],
    preset: Annotated[str, typer.Option("--preset", help="Sizes of the model, by name.")] = "shipped",
    recipe: Annotated[str | None, typer.Option("--recipe", help="A recipe by name; else the stage's own.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="Decides every draw.")] = 0,
    steps: Annotated[int | None, typer.Option("--steps", min=1, help="Instead of the recipe's.")] = None,
    source: Annotated[
        Path | None, typer.Option("--from", help="Checkpoint folder whose weights to start from.")
    ] = None,
    device: Annotated[str, typer.Option("--device", help="auto, cpu or cuda.")] = "auto",
    mesa: Annotated[bool, typer.Option("--mesa", help="Keep activations as int8, when memory is short.")] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the result as JSON, and nothing else on stdout.")
    ] = False,
) -> None:
    """Trains one stage of the model and writes a checkpoint. Started again in the same folder, it goes on."""
    given = ["--out", str(out), "--preset", preset, "--seed", str(seed), "--device", device]
    given += [] if recipe is None else ["--recipe", recipe]
    given += [] if steps is None else ["--steps", str(steps)]
    given += [] if source is None else ["--from", str(source)]
    given += [*(["--mesa"] if mesa else []), *(["--json"] if as_json else [])]
    with reported(Session(None, None, None, as_json)):
        missing = [name for name in TRAINING_PACKAGES if importlib.util.find_spec(name) is None]
        if missing:
            raise TrainingNotInstalled(f"these packages are not installed: {', '.join(missing)}")
        status = _spawn([stage, *given])
    raise typer.Exit(status)


def _spawn(arguments: list[str]) -> int:
    """The exit code of the training process. Ctrl-C reaches it as it reaches this one: it stops, and is waited for."""
    child = subprocess.Popen([sys.executable, "-m", "models.training", *arguments])
    while True:
        try:
            status = child.wait()
        except KeyboardInterrupt:
            continue
        return 128 + signal.Signals(-status) if status < 0 else status
