"""`python -m models.training STAGE --preset P --seed S --out DIR`: what `memos train` runs as a process of its own.

The result is one line on stdout (with `--json` an object); progress and errors go to stderr. Exit code 0 it worked, 1
it did not, 2 wrong use, 130 stopped with Ctrl-C: the same command then goes on from the last save.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from models.errors import ModelError
from models.rxt.config import PRESETS
from models.training.progress import CURVES, LOG
from models.training.stages import STAGES
from models.training.train import Arguments, device_of, named_recipe, train


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="memos train", description="Train a Reactive Transformer, stage by stage.")
    parser.add_argument("stage", choices=list(STAGES))
    parser.add_argument("--preset", choices=sorted(PRESETS), default="shipped")
    parser.add_argument("--recipe", help="a recipe by name, instead of the stage's own")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--from", dest="source", type=Path, help="start from the weights of this checkpoint")
    parser.add_argument("--device", choices=("auto", "cpu", "cuda"), default="auto")
    parser.add_argument("--mesa", action="store_true", help="keep activations as int8")
    parser.add_argument("--json", action="store_true", dest="as_json")
    parser.add_argument("--out", type=Path, required=True)
    return parser


def main(given: Sequence[str] | None = None) -> int:
    """Runs the stage; returns the exit code."""
    options = _parser().parse_args(given)
    try:
        name, recipe = named_recipe(options.stage, options.preset, options.recipe)
        if options.steps is not None:
            recipe = replace(recipe, steps=options.steps)
        arguments = Arguments(
            stage=options.stage,
            preset=options.preset,
            recipe=name,
            seed=options.seed,
            source=options.source,
            device=device_of(options.device),
            mesa=options.mesa,
        )
        run = train(arguments, recipe, options.out)
    except ModelError as error:
        told = {"code": error.code, "detail": str(error)}
        print(json.dumps(told) if options.as_json else f"error: {error.code}: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("stopped; the same command goes on from the last save", file=sys.stderr)
        return 130
    last = json.loads((options.out / LOG).read_text().splitlines()[-1])
    if options.as_json:
        curves = options.out / CURVES
        print(json.dumps({"out": str(options.out), "curves": str(curves) if curves.exists() else None, **last}))
    else:
        print(f"{options.stage}: {run.step} steps, loss {last.get('loss')}, checkpoint in {options.out}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
