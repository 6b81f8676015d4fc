"""Trains a model: `python -m models.training.train --preset shipped --seed 0 --out DIR`.

Notable choices
* One thread, fixed seeds, a log of JSON lines. Time is CPU time: the machine may be shared.
* The run saves its own progress (safetensors for tensors, JSON for the rest) and continues from it when started again
  with the same arguments.
"""

import argparse
import json
import random
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from models.rxt.checkpoint import save_checkpoint
from models.rxt.config import preset
from models.rxt.model import Rxt
from models.training.batch import accuracy_of, draw_batch, loss_of
from models.training.conversations.compile import Language, build_language
from models.training.conversations.dialogue import Plan
from models.training.optim import build_optimisers
from models.training.recipe import RECIPES, Recipe
from models.training.warm_start import warm_start

SAVE_EVERY = 100
EVALUATE_EVERY = 250


def plan_of(recipe: Recipe, step: int, rng: random.Random) -> Plan:
    """A plan at this step of the curriculum; later stages still meet shorter dialogues."""
    stage = recipe.stage(step)
    turns, facts = stage.turns, stage.facts
    if turns > 2 and rng.random() < 0.3:
        turns = rng.randint(1, turns)
        facts = min(facts, turns)
    return Plan(
        turns,
        facts,
        recipe.probes,
        one_family=stage.one_family,
        asked=stage.asked,
        untold=stage.untold,
        flatten=stage.flatten,
        corrections=stage.corrections,
        questions=stage.questions,
        joined=stage.joined,
        first_weight=stage.first_weight,
        blank=stage.blank,
    )


def evaluate(model: Rxt, language: Language, step: int) -> dict[str, Any]:
    """Teacher-forced accuracies on new dialogues, with trained and with held-out phrasings."""
    model.eval()
    out: dict[str, Any] = {}
    for name, plan in (
        ("4 facts", Plan(8, 4, 8, plain=True)),
        ("8 facts", Plan(12, 8, 8, plain=True)),
        ("unseen", Plan(8, 4, 8, plain=True, unseen=True)),
    ):
        rng = random.Random(10_000_019 + step)
        counts = accuracy_of(model, draw_batch(language, rng, plan, 32, model.config.rows))
        out[name] = {kind: round(hit / total, 3) for kind, (hit, total) in sorted(counts.items()) if total > 4}
    model.train()
    return out


class Run:
    """One training run: model, optimisers, randomness and the step they have reached."""

    def __init__(self, name: str, recipe: Recipe, seed: int) -> None:
        torch.manual_seed(seed)
        self.language = build_language()
        self.recipe = recipe
        self.model = Rxt(preset(name, len(self.language.tokenizer)))
        self.optimisers = build_optimisers(self.model, recipe.high_lr, recipe.adam_lr)
        self.seed = seed
        self.step = 0
        self.cpu_s = 0.0

    def advance(self) -> float:
        """One optimiser step; returns the loss."""
        rng = random.Random(self.seed * 1_000_003 + self.step)
        recipe = self.recipe
        plan = plan_of(recipe, self.step, rng)
        batch = draw_batch(self.language, rng, plan, recipe.dialogues, self.model.config.rows)
        for optimiser, rate in zip(self.optimisers, recipe.rate(self.step), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate
        self.model.zero_grad(set_to_none=True)
        loss = loss_of(self.model, batch)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), recipe.clip)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """Writes everything a continued run needs."""
        tensors: dict[str, Tensor] = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        for index, optimiser in enumerate(self.optimisers):
            for key, state in optimiser.state_dict()["state"].items():
                for field, value in state.items():
                    tensors[f"optimiser.{index}.{key}.{field}"] = value
        fresh = folder / "progress.new"
        meta = {"step": str(self.step), "cpu": str(self.cpu_s)}
        save_file({k: v.contiguous() for k, v in tensors.items()}, fresh, meta)
        fresh.replace(folder / "progress.safetensors")

    def resume(self, folder: Path) -> None:
        """Continues from `save`, if there was one."""
        path = folder / "progress.safetensors"
        if not path.exists():
            return
        with safe_open(path, "pt") as file:
            meta = file.metadata()
        tensors = load_file(path)
        self.model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        for index, optimiser in enumerate(self.optimisers):
            states: dict[int, dict[str, Tensor]] = {}
            lead = f"optimiser.{index}."
            for name, value in tensors.items():
                if name.startswith(lead):
                    key, field = name[len(lead) :].split(".")
                    states.setdefault(int(key), {})[field] = value
            optimiser.load_state_dict({"state": states, "param_groups": optimiser.state_dict()["param_groups"]})
        self.step, self.cpu_s = int(meta["step"]), float(meta["cpu"])


def train(name: str, recipe: Recipe, seed: int, out: Path, source: Path | None = None) -> Run:
    """Runs to the end of the recipe, logging to `out/log.jsonl`, and writes the checkpoint to `out`."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    run = Run(name, recipe, seed)
    run.resume(out)
    losses: list[float] = []
    with (out / "log.jsonl").open("a") as log:
        if source is not None and run.step == 0:
            taken = warm_start(run.model, run.language.tokenizer, source)
            log.write(json.dumps({"step": 0, "from": taken.as_dict()}) + "\n")
        while run.step < recipe.steps:
            began = time.process_time()
            losses.append(run.advance())
            run.cpu_s += time.process_time() - began
            if run.step % 50 == 0 or run.step == recipe.steps:
                loss = round(sum(losses) / len(losses), 4)
                entry: dict[str, Any] = {"step": run.step, "cpu_s": round(run.cpu_s, 1), "loss": loss}
                losses.clear()
                if run.step % EVALUATE_EVERY == 0 or run.step == recipe.steps:
                    entry["accuracy"] = evaluate(run.model, run.language, run.step)
                log.write(json.dumps(entry) + "\n")
                log.flush()
            if run.step % SAVE_EVERY == 0:
                run.save(out)
    run.save(out)
    save_checkpoint(out, run.model, run.language.tokenizer)
    return run


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train a Reactive Transformer on the synthetic language.")
    parser.add_argument("--preset", default="shipped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--from", dest="source", type=Path, help="start from this checkpoint's weights")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.preset]
    if arguments.steps:
        recipe = replace(recipe, steps=arguments.steps)
    train(arguments.preset, recipe, arguments.seed, arguments.out, arguments.source)


if __name__ == "__main__":
    main()
