"""Runs a stage of training: `python -m models.training STAGE --preset P --seed S --out DIR`, or `memos train STAGE`.

Notable choices
* One loop for all stages: draw, losses, update, log, evaluate, save. What a stage learns is in
  `models.training.stages`.
* Everything random at a step is derived from seed and step, and the optimisers' state is saved: a run that was killed
  goes on with the very losses of one that was not.
* A run is continued with the arguments it was begun with, or not at all. The recipe's values may change in between, as
  the time left is estimated anew; the log then says so.
* One thread. Time is CPU time: the machine may be shared. On a GPU, forward passes run in bf16.
"""

import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from models.errors import ModelError
from models.rxt.checkpoint import save_checkpoint
from models.rxt.config import preset
from models.rxt.feed_forward import router_losses
from models.rxt.model import Rxt
from models.training.conversations.compile import Language, build_language
from models.training.curves import MISSING, can_draw, draw_curves
from models.training.mesa import int8_activations
from models.training.optim import build_optimisers, load_optimiser_tensors, optimiser_tensors
from models.training.progress import CURVES, LOG, SAVED, Bar, Log, load_tensors, save_tensors
from models.training.recipe import RECIPES, Pace, Recipe, recipe_name
from models.training.recipe import plan_of as plan_of  # the twin's trainer finds it here
from models.training.stages import STAGES, TrainingStage
from models.training.warm_start import WarmStart, warm_start

SAVE_EVERY = Pace().save_every
EVALUATE_EVERY = Pace().evaluate_every
BESIDE = "beside.safetensors"
BALANCE = 0.01  # weight of the mean balance loss of the routers, where the feed-forward blocks have some


class CannotResume(ModelError):
    """The folder holds a run with other arguments; `fields` names those that differ."""

    code = "cannot_resume"

    def __init__(self, message: str, fields: tuple[str, ...]) -> None:
        super().__init__(message)
        self.fields = fields


@cache
def language() -> Language:
    """The language of conversations, compiled once a process: it never changes."""
    return build_language()


@dataclass(frozen=True, slots=True)
class Arguments:
    """What decides a run's losses, apart from the recipe's values. `source` is a folder, `device` is cpu or cuda."""

    stage: str = "supervised"
    preset: str = "shipped"
    recipe: str = "shipped"  # its name
    seed: int = 0
    source: Path | None = None
    device: str = "cpu"
    mesa: bool = False


def device_of(name: str) -> str:
    """CUDA for "auto" where there is one. Raises ModelError for a device that is not there."""
    if name == "auto":
        return "cuda" if torch.cuda.is_available() else "cpu"
    if name == "cuda" and not torch.cuda.is_available():
        raise ModelError("no CUDA device: take --device cpu, or auto")
    return name


def update(
    stage: TrainingStage,
    optimisers: Sequence[torch.optim.Optimizer],
    rates: Sequence[float],
    step: int,
    rng: random.Random,
    forward: Callable[[], AbstractContextManager[Any]] = nullcontext,
) -> float:
    """Every update of the weights that a stage makes in one step; returns the mean of their losses."""
    for optimiser, rate in zip(optimisers, rates, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = rate
    stage.freeze(step)
    trained = [*stage.model.parameters(), *stage.beside.parameters()]
    found: list[float] = []
    losses = stage.losses(step, rng)
    while True:
        with forward(), router_losses(stage.model) as balance:
            loss = next(losses, None)
        if loss is None:
            return sum(found) / len(found)
        for parameter in trained:
            parameter.grad = None
        total = loss + BALANCE * torch.stack(balance).mean() if balance else loss
        total.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(trained, stage.recipe.clip)
        for optimiser in optimisers:
            optimiser.step()
        found.append(float(loss.detach()))


class Run:
    """One training run: model, stage, optimisers and the step they have reached."""

    def __init__(self, arguments: Arguments, recipe: Recipe) -> None:
        torch.manual_seed(arguments.seed)
        self.arguments = arguments
        self.recipe = recipe
        self.language = language()
        self.model = Rxt(preset(arguments.preset, len(self.language.tokenizer)))
        self.taken: WarmStart | None = None
        if arguments.source is not None:
            self.taken = warm_start(self.model, self.language.tokenizer, arguments.source)
        self.model.to(arguments.device)
        self.stage = STAGES[arguments.stage](self.model, self.language, recipe)
        self.stage.beside.to(arguments.device)
        if arguments.source is not None and (arguments.source / BESIDE).exists():
            self._adopt(arguments.source / BESIDE)
        self.trained = nn.ModuleList((self.model, self.stage.beside))
        self.optimisers = build_optimisers(self.trained, recipe.high_lr, recipe.adam_lr)
        self.step = 0
        self.cpu_s = 0.0

    def _adopt(self, path: Path) -> None:
        """What an earlier stage trained beside the model, where this stage has the same and in the same shape."""
        own = self.stage.beside.state_dict()
        for name, tensor in load_tensors(path)[0].items():
            if name in own and own[name].shape == tensor.shape:
                own[name].copy_(tensor)

    @contextmanager
    def _forward(self) -> Iterator[None]:
        """How losses are computed: in bf16 on a GPU, with int8 activations where asked for."""
        with ExitStack() as stack:
            if self.arguments.device == "cuda":
                stack.enter_context(torch.autocast("cuda", dtype=torch.bfloat16))
            if self.arguments.mesa:
                stack.enter_context(int8_activations(self.trained))
            yield

    def advance(self) -> float:
        """One step of the curriculum; returns the mean loss of its updates."""
        rng = random.Random(self.arguments.seed * 1_000_003 + self.step)
        loss = update(self.stage, self.optimisers, self.recipe.rate(self.step), self.step, rng, self._forward)
        self.step += 1
        return loss

    def evaluate(self) -> dict[str, Any]:
        """The stage's figures at this step."""
        self.model.eval()
        with self._forward():
            out = self.stage.evaluate(self.step)
        self.model.train()
        return out

    def _identity(self) -> dict[str, Any]:
        """The arguments as they are saved: weights to start from go by their content, not by their place."""
        out = asdict(self.arguments)
        out["from"] = None if self.taken is None else self.taken.weights_sha256
        del out["source"]
        return out

    def save(self, folder: Path) -> None:
        """Writes everything a continued run needs, atomically."""
        tensors: dict[str, Tensor] = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= {f"beside.{k}": v for k, v in self.stage.beside.state_dict().items()}
        tensors |= optimiser_tensors(self.optimisers)
        meta = {
            "step": str(self.step),
            "cpu": str(self.cpu_s),
            "arguments": json.dumps(self._identity()),
            "recipe": json.dumps(asdict(self.recipe)),
        }
        save_tensors(folder / SAVED, tensors, meta)

    def resume(self, folder: Path) -> tuple[str, ...]:
        """Continues from `save`, if there was one; names the recipe's values that have changed since.

        Raises CannotResume when the arguments differ.
        """
        path = folder / SAVED
        if not path.exists():
            return ()
        tensors, meta = load_tensors(path)
        begun, given = json.loads(meta["arguments"]), json.loads(json.dumps(self._identity()))
        differ = tuple(name for name in given if begun.get(name) != given[name])
        if differ:
            told = "; ".join(f"{name} was {begun.get(name)!r} and is {given[name]!r}" for name in differ)
            raise CannotResume(f"{folder} holds a run with other arguments: {told}", differ)
        self.model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        self.stage.beside.load_state_dict({k[7:]: v for k, v in tensors.items() if k.startswith("beside.")})
        load_optimiser_tensors(self.optimisers, tensors)
        self.step, self.cpu_s = int(meta["step"]), float(meta["cpu"])
        old, new = json.loads(meta["recipe"]), json.loads(json.dumps(asdict(self.recipe)))
        return tuple(name for name in new if old.get(name) != new[name])

    def finish(self, folder: Path) -> None:
        """Writes the checkpoint, and beside it what the next stage may go on from."""
        self.save(folder)
        self.model.eval()
        save_checkpoint(folder, self.model, self.language.tokenizer)
        beside = {k: v for k, v in self.stage.beside.state_dict().items() if not k.startswith("reference.")}
        if beside:
            save_tensors(folder / BESIDE, beside, {"stage": self.stage.name})


def train(arguments: Arguments, recipe: Recipe, out: Path) -> Run:
    """Runs to the end of the recipe, logging to `out`, and writes the checkpoint there. Continues what it finds."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    run = Run(arguments, recipe)
    changed = run.resume(out)
    log = Log(out / LOG, run.step)
    pace, losses = recipe.pace, list[float]()
    with Bar(run.stage.name, run.step, recipe.steps) as bar:
        if run.taken is not None and run.step == 0:
            log.write({"step": 0, "from": run.taken.as_dict()})
        if changed:
            log.write({"step": run.step, "recipe_changed": changed})
            bar.say(f"the recipe has changed since the save at step {run.step}: {', '.join(changed)}")
        if not can_draw():
            bar.say(MISSING)
        while run.step < recipe.steps:
            began = time.process_time()
            loss = run.advance()
            losses.append(loss)
            run.cpu_s += time.process_time() - began
            bar.advance(loss)
            last = run.step == recipe.steps
            if run.step % pace.log_every == 0 or last:
                _log(run, log, losses, last)
                losses.clear()
            if run.step % pace.save_every == 0:
                run.save(out)
    run.finish(out)
    return run


def _log(run: Run, log: Log, losses: list[float], last: bool) -> None:
    muon, adam = run.recipe.rate(run.step - 1)
    entry: dict[str, Any] = {
        "step": run.step,
        "cpu_s": round(run.cpu_s, 1),
        "loss": round(sum(losses) / len(losses), 4),
        "lr": {"muon": muon, "adam": adam},
    }
    evaluated = last or run.step % run.recipe.pace.evaluate_every == 0
    if evaluated:
        entry["accuracy"] = run.evaluate()
    log.write(entry)
    if evaluated and can_draw():
        draw_curves(log.path, log.path.with_name(CURVES))


def named_recipe(stage: str, preset_name: str, name: str | None) -> tuple[str, Recipe]:
    """The recipe of that name, or the one a stage takes when none is named. Raises ModelError."""
    name = recipe_name(stage, preset_name) if name is None else name
    if name not in RECIPES:
        raise ModelError(f"no recipe {name!r}: there are {', '.join(sorted(RECIPES))}")
    return name, RECIPES[name]
