"""Trains the stateless twin on the very batches of an RxT recipe: `python -m models.training.twin --seed 0 --out DIR`.

Notable choices
* Same seed, same step, same batch as the RxT run: same dialogues, questions, targets and weights; same optimisers and
  rates. Only who reads them differs: the twin is given every turn as text.
* The turns of a dialogue are joined without padding; its questions stand side by side after it, each seeing the history
  and itself. Turns that RxT writes to a memory of their own (recalled texts) are simply the oldest ones here.
* Turns move apart at random in some dialogues (the order stays): rotary positions up to the whole context are met while
  dialogues are short, so that the twin is not worse off far from where it was trained.
* Three quarters of the steps multiply in bfloat16 (1.75 times faster for these sizes on a CPU that has it), the last
  quarter in float32, so that what is measured was finished in the precision it is measured in.
"""

import argparse
import json
import random
import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models.baselines.checkpoint import save_twin
from models.baselines.stateless import TWINS, Layout, Stateless, StatelessConfig, trained_parameters
from models.text.tokenizer import PAD
from models.training.batch import Batch, draw_batch
from models.training.conversations.compile import Language, build_language
from models.training.conversations.dialogue import Plan
from models.training.optim import build_optimisers, load_optimiser_tensors, optimiser_tensors
from models.training.progress import LOG, SAVED, Bar, Log, load_tensors, save_tensors
from models.training.recipe import RECIPES, Recipe, plan_of

BF16_SHARE = 0.75  # of the steps, from the first
STRETCHED = 0.4  # share of the dialogues whose turns move apart


def _shifts(batch: Batch, rooms: list[int], rng: random.Random | None) -> Tensor:
    """int64 [B, T + 1], ascending: by how much each turn, and at last the probes, moved away from the first."""
    out = []
    for room in rooms:
        share = rng.random() if rng is not None and rng.random() < STRETCHED else 0.0
        draws = sorted(rng.random() for _ in range(batch.turns + 1)) if rng is not None and share else []
        out.append([int(draw * share * max(0, room)) for draw in draws] or [0] * (batch.turns + 1))
    return torch.tensor(out)


@dataclass(frozen=True, slots=True)
class Joined:
    """Every dialogue of a batch with its probes, as one row of N columns without padding in between."""

    tokens: Tensor  # int64 [B, N]; the histories end, and the probes begin, at column `layout.first`
    layout: Layout
    source: Tensor  # int64 [B, N - first], where in the dialogue's P x N' probe tokens a column comes from


def lay_out(batch: Batch, context: int, rng: random.Random | None = None, dtype: torch.dtype = torch.float32) -> Joined:
    """Joins the turns, then the probes side by side. Without `rng` turns follow each other without gaps.

    `dtype`: what the attention computes in.
    """
    count = len(batch.history) // batch.turns
    longest = batch.prompts.shape[1]
    history, prompts = batch.history.view(count, -1), batch.prompts.view(count, -1)
    totals = (history != PAD).sum(1)
    first, width = int(totals.max()), int((prompts != PAD).sum(1).max())
    # Stable sorts close the gaps: histories to the right, probes to the left, so that the two meet.
    order = (history != PAD).int().argsort(dim=1, stable=True)[:, history.shape[1] - first :]
    source = (prompts == PAD).int().argsort(dim=1, stable=True)[:, :width]
    tokens = torch.cat((history.gather(1, order), prompts.gather(1, source)), dim=1)
    length = tokens.shape[1]
    columns = torch.arange(length)
    begins = (first - totals)[:, None]
    shifts = _shifts(batch, [context - int(total) - longest for total in totals], rng)
    told = columns[:first] - begins + shifts.gather(1, order // batch.history.shape[1])
    asked = totals[:, None] + shifts[:, -1:] + source % longest
    # A probe goes on where the history ends; a history begins with nothing before it.
    alone = torch.where(totals > 0, first - 1, length)[:, None]
    previous = torch.cat(
        (
            torch.where(columns[:first] > begins, columns[:first] - 1, length),
            torch.where(source % longest == 0, alone, columns[first:] - 1),
        ),
        dim=1,
    )
    # A history token sees what is before it; a probe token the whole history and what is before it in its own probe.
    group = torch.cat((torch.zeros(count, first, dtype=torch.int64), 1 + source // longest), dim=1)
    mask = (columns[:, None] >= columns) & ((group[:, :, None] == group[:, None]) | (group[:, None] == 0))
    mask &= (tokens != PAD)[:, None] | torch.eye(length, dtype=torch.bool)
    positions = torch.cat((told, asked), dim=1).clamp_min(0)
    return Joined(tokens, Layout(positions, previous, mask[:, None], first), source)


def _logits(model: Stateless, batch: Batch, joined: Joined, chosen: Tensor) -> Tensor:
    """Scores [n, C] at the chosen ones of the probes' columns."""
    table = model.table(batch.rows)
    activations = model(model.inputs(joined.tokens, joined.layout.previous, table), joined.layout)
    return model.logits(activations[chosen], table)


def loss_of(model: Stateless, batch: Batch, rng: random.Random | None = None) -> Tensor:
    """Weighted cross-entropy of the answers, in nats per unit of weight; the loss of `models.training.batch`."""
    joined = lay_out(batch, model.config.context, rng)
    count = len(joined.source)
    targets = batch.targets.view(count, -1).gather(1, joined.source)
    chosen = targets != PAD
    weights = batch.weights.view(count, -1).gather(1, joined.source)[chosen]
    losses = F.cross_entropy(_logits(model, batch, joined, chosen), targets[chosen], reduction="none")
    return (losses * weights).sum() / weights.sum()


@torch.no_grad()
def accuracy_of(model: Stateless, batch: Batch) -> dict[str, float]:
    """Per kind of probe, the share of answers with every token right (teacher-forced, greedy)."""
    joined = lay_out(batch, model.config.context)
    targets = batch.targets.view(len(joined.source), -1)
    chosen = targets.gather(1, joined.source) != PAD
    best = torch.full_like(joined.source, PAD)
    best[chosen] = _logits(model, batch, joined, chosen).argmax(-1)
    answers = torch.full_like(targets, PAD).scatter(1, joined.source, best).view(batch.targets.shape)
    right = (answers == batch.targets).all(1).tolist()
    found: dict[str, list[bool]] = {}
    for kind, good in zip(batch.kinds, right, strict=True):
        found.setdefault(kind, []).append(good)
    return {kind: round(sum(good) / len(good), 3) for kind, good in sorted(found.items()) if len(good) > 4}


def evaluate(model: Stateless, language: Language, step: int) -> dict[str, dict[str, float]]:
    """On the same new dialogues as `models.training.train.evaluate`."""
    plans = {
        "4 facts": Plan(8, 4, 8, plain=True),
        "8 facts": Plan(12, 8, 8, plain=True),
        "unseen": Plan(8, 4, 8, plain=True, unseen=True),
    }
    out: dict[str, dict[str, float]] = {}
    for name, plan in plans.items():
        rng = random.Random(10_000_019 + step)
        out[name] = accuracy_of(model, draw_batch(language, rng, plan, 32, model.config.rows))
    return out


class TwinRun:
    """One training run: model, optimisers and the step they have reached."""

    def __init__(self, name: str, recipe: Recipe, seed: int) -> None:
        torch.manual_seed(seed)
        self.language = build_language()
        self.recipe = recipe
        self.model = Stateless(StatelessConfig(words=len(self.language.tokenizer), **TWINS[name]))
        self.optimisers = build_optimisers(self.model, recipe.high_lr, recipe.adam_lr)
        self.seed = seed
        self.step = 0
        self.cpu_s = 0.0

    def advance(self) -> float:
        """One optimiser step; returns the loss."""
        rng = random.Random(self.seed * 1_000_003 + self.step)
        plan = plan_of(self.recipe, self.step, rng)
        batch = draw_batch(self.language, rng, plan, self.recipe.dialogues, self.model.config.rows)
        for optimiser, rate in zip(self.optimisers, self.recipe.rate(self.step), strict=True):
            for group in optimiser.param_groups:
                group["lr"] = rate
        self.model.zero_grad(set_to_none=True)
        with torch.autocast("cpu", torch.bfloat16, enabled=self.step < BF16_SHARE * self.recipe.steps):
            loss = loss_of(self.model, batch, rng)
        loss.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), self.recipe.clip)
        for optimiser in self.optimisers:
            optimiser.step()
        self.step += 1
        return float(loss.detach())

    def save(self, folder: Path) -> None:
        """Writes everything a continued run needs, atomically."""
        tensors: dict[str, Tensor] = {f"model.{k}": v for k, v in self.model.state_dict().items()}
        tensors |= optimiser_tensors(self.optimisers)
        save_tensors(folder / SAVED, tensors, {"step": str(self.step), "cpu": str(self.cpu_s)})

    def resume(self, folder: Path) -> None:
        """Continues from `save`, if there was one."""
        if not (folder / SAVED).exists():
            return
        tensors, meta = load_tensors(folder / SAVED)
        self.model.load_state_dict({k[6:]: v for k, v in tensors.items() if k.startswith("model.")})
        load_optimiser_tensors(self.optimisers, tensors)
        self.step, self.cpu_s = int(meta["step"]), float(meta["cpu"])


def train(name: str, recipe: Recipe, seed: int, out: Path) -> TwinRun:
    """Runs to the end of the recipe, logging to `out`, and writes the twin there. Continues what it finds."""
    torch.set_num_threads(1)
    out.mkdir(parents=True, exist_ok=True)
    run = TwinRun(name, recipe, seed)
    run.resume(out)
    log, pace, losses = Log(out / LOG, run.step), recipe.pace, list[float]()
    with Bar("twin", run.step, recipe.steps) as bar:
        while run.step < recipe.steps:
            began = time.process_time()
            losses.append(run.advance())
            run.cpu_s += time.process_time() - began
            bar.advance(losses[-1])
            last = run.step == recipe.steps
            if run.step % pace.log_every == 0 or last:
                loss = round(sum(losses) / len(losses), 4)
                entry: dict[str, Any] = {"step": run.step, "cpu_s": round(run.cpu_s, 1), "loss": loss}
                losses.clear()
                if run.step % pace.evaluate_every == 0 or last:
                    entry["accuracy"] = evaluate(run.model, run.language, run.step)
                log.write(entry)
            if run.step % pace.save_every == 0:
                run.save(out)
    run.save(out)
    save_twin(out, run.model, run.language.tokenizer)
    return run


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description="Train the stateless twin of an RxT.")
    parser.add_argument("--preset", default="shipped")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--steps", type=int, help="instead of the recipe's")
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    recipe = RECIPES[arguments.preset]
    if arguments.steps:
        recipe = replace(recipe, steps=arguments.steps)
    run = train(arguments.preset, recipe, arguments.seed, arguments.out)
    print(json.dumps({"steps": run.step, "cpu_s": round(run.cpu_s, 1), "parameters": trained_parameters(run.model)}))


if __name__ == "__main__":
    main()
