"""Context distillation: trains a delta that answers with an empty state what the model answers with its memory in the
state. `python -m models.training.distil FOLDER` runs what FOLDER/job.json asks for.

Notable choices
* Two losses: cross-entropy of the teacher's answers to taught questions (Kim & Rush 2016, sequence-level distillation),
  and KL of the untouched model's distribution on everything that is to be left alone (`models.training.lessons`).
* Everything random at a step is derived from seed and step, and saves hold the optimiser: a run that was killed at any
  moment ends with the very bytes of one that was not.
* Low priority, one thread, a process of its own: it may train beside a server and must not be felt there.
* What a folder holds is text of users. Whoever made it removes it.
"""

import argparse
import json
import os
import random
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from models.engine import Delta, RxtEngine
from models.engine.deltas import LowRank, pack_delta
from models.errors import ModelError, NothingToTeach
from models.rxt.checkpoint import Checkpoint, load_checkpoint, sha256_of
from models.rxt.low_rank import adapt, folded
from models.rxt.model import Rxt
from models.text.tokenizer import PAD
from models.training.batch import pad
from models.training.lessons import Question, Source, distinct, prepare
from models.training.progress import load_tensors, save_tensors
from models.training.recite import Asked

JOB, DELTA, RESULT, SAVED, PROGRESS = "job.json", "delta.safetensors", "result.json", "saved.safetensors", "progress"
NICE = 10
RATE, WARM_STEPS, LAST_RATE = 3e-3, 20, 0.05
TAUGHT, KEPT = 32, 56  # questions of one step
KEEP = 3.0  # weight of leaving alone
FIRST = 5.0  # weight of the first token of an answer that is left alone
LONGEST_GRADIENT = 1.0
SAVE_EVERY = 20
CHECKED = 200  # questions left alone that are counted at the end


@dataclass(frozen=True, slots=True)
class Job:
    """`sources`: oldest first; `rank` of every factor."""

    sources: tuple[Source, ...]
    rank: int
    steps: int
    seed: int


class Distillation:
    """One run, from step 0 or from a save."""

    def __init__(self, engine: RxtEngine, checkpoint: Checkpoint, job: Job) -> None:
        """Raises NothingToTeach."""
        self.job, self._engine, self._checkpoint = job, engine, checkpoint
        self._reciter, self.lessons = prepare(engine, checkpoint, job.sources, job.seed)
        if not self.lessons.taught:
            raise NothingToTeach("nothing in these memories is a fact that the model can be asked for")
        self._student = deepcopy(checkpoint.model)
        chance = torch.Generator().manual_seed(job.seed)
        self._maps = adapt(self._student.decoder, job.rank, chance)
        self._parameters = [p for adapted in self._maps.values() for p in (adapted.down, adapted.up)]
        self._optimiser = torch.optim.AdamW(self._parameters, lr=RATE, betas=(0.9, 0.98), weight_decay=0.0)
        with torch.no_grad():
            self._memory = checkpoint.model.project_memory(torch.stack(self.lessons.memories))
        self.step = 0

    def advance(self) -> tuple[float, float]:
        """One step; the losses of teaching and of leaving alone."""
        rng = random.Random(f"distil {self.job.seed} {self.step}")
        taught = self._drawn(rng, self.lessons.taught, TAUGHT)
        kept = self._drawn(rng, self.lessons.kept, KEPT)
        rate = min(1.0, (self.step + 1) / WARM_STEPS) * max(LAST_RATE, 1.0 - self.step / self.job.steps)
        for group in self._optimiser.param_groups:
            group["lr"] = RATE * rate
        scores, targets = self._scores(self._student, taught)
        teaching = F.cross_entropy(scores, targets)
        with torch.no_grad():
            before = F.log_softmax(self._scores(self._checkpoint.model, kept)[0], -1)
        after = F.log_softmax(self._scores(self._student, kept)[0], -1)
        apart = F.kl_div(after, before, log_target=True, reduction="none").sum(-1)
        weights = _weights(kept)
        keeping = (apart * weights).sum() / weights.sum()
        self._optimiser.zero_grad()
        (teaching + KEEP * keeping).backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self._parameters, LONGEST_GRADIENT)
        self._optimiser.step()
        self.step += 1
        return float(teaching.detach()), float(keeping.detach())

    def delta(self) -> Delta:
        """What has been learned so far, as it will be read back."""
        factors = {
            name: (adapted.down.detach().half().float(), adapted.up.detach().half().float())
            for name, adapted in self._maps.items()
        }
        return Delta(LowRank(factors), self.lessons.words, self._reciter.vectors)

    def payload(self) -> bytes:
        """The delta's bytes; equal jobs give equal bytes."""
        about = {"rank": self.job.rank, "steps": self.job.steps, "seed": self.job.seed}
        return pack_delta(self.delta(), self._engine.identity, about)

    def figures(self) -> dict[str, float]:
        """What the run finds of itself: answers to held-out phrasings of the taught facts, without and with the delta,
        and the share of the questions left alone that are still answered word for word as before."""
        model = deepcopy(self._checkpoint.model)
        model.decoder = folded(model.decoder, [self.delta().memory.factors()])
        unseen, kept = self.lessons.unseen, self.lessons.kept[:: max(1, len(self.lessons.kept) // CHECKED)]
        return {
            "facts": float(distinct(self.lessons.facts)),
            "questions": float(len(self.lessons.taught)),
            "unseen": float(len(unseen)),
            "right_before": _share(self._recited(unseen, None), unseen),
            "right_after": _share(self._recited(unseen, model), unseen),
            "left_alone": _share(self._recited(kept, model), kept),
        }

    def save(self, path: Path) -> None:
        """Atomically."""
        tensors = {f"{name}.{part}": getattr(a, part) for name, a in self._maps.items() for part in ("down", "up")}
        for index, parameter in enumerate(self._parameters):
            for name, value in self._optimiser.state[parameter].items():
                tensors[f"optimiser.{index}.{name}"] = value
        save_tensors(path, tensors, {"step": str(self.step)})

    def resume(self, path: Path) -> None:
        """Continues from `save`, where there was one."""
        if not path.exists():
            return
        tensors, meta = load_tensors(path)
        with torch.no_grad():
            for name, adapted in self._maps.items():
                adapted.down.copy_(tensors[f"{name}.down"])
                adapted.up.copy_(tensors[f"{name}.up"])
        for index, parameter in enumerate(self._parameters):
            names = ("step", "exp_avg", "exp_avg_sq")
            self._optimiser.state[parameter] = {name: tensors[f"optimiser.{index}.{name}"] for name in names}
        self.step = int(meta["step"])

    @staticmethod
    def _drawn(rng: random.Random, pool: Sequence[Question], count: int) -> list[Question]:
        return rng.sample(pool, min(count, len(pool)))

    def _scores(self, model: Rxt, questions: Sequence[Question]) -> tuple[Tensor, Tensor]:
        """Scores [n, C] where answers are predicted, and what is wanted there [n]."""
        ids = pad([question.prompt + question.answer[:-1] for question in questions])
        targets = pad([[PAD] * (len(question.prompt) - 1) + question.answer for question in questions])
        whose = torch.tensor([question.memory for question in questions])
        memory = tuple((keys[whose], values[whose]) for keys, values in self._memory)
        table = self._reciter.table
        activations, _ = model.decode(ids, ids != PAD, table, memory, None)
        chosen = targets != PAD
        return model.logits(activations[chosen], table), targets[chosen]

    def _recited(self, questions: Sequence[Question], model: Rxt | None) -> list[list[int]]:
        first = len(self._reciter.known)
        asked = [
            Asked(q.prompt, tuple(t - first for t in q.prompt if first <= t < first + self._reciter.rows), q.memory)
            for q in questions
        ]
        return self._reciter.recite(asked, self.lessons.memories, model)


def _weights(questions: Sequence[Question]) -> Tensor:
    """[n], of every predicted token: the first of an answer decides between giving a value and not knowing."""
    return torch.tensor([weight for q in questions for weight in (FIRST, *[1.0] * (len(q.answer) - 1))])


def _share(said: Sequence[list[int]], wanted: Sequence[Question]) -> float:
    right = sum(ids == question.answer for ids, question in zip(said, wanted, strict=True))
    return round(right / max(1, len(wanted)), 4)


def run(
    engine: RxtEngine,
    checkpoint: Checkpoint,
    job: Job,
    folder: Path | None = None,
    told: Callable[[int], None] = lambda step: None,
) -> tuple[bytes, dict[str, float]]:
    """The delta's payload and figures. With a folder it saves there, and goes on from a save. Raises NothingToTeach."""
    began = time.process_time()
    distillation = Distillation(engine, checkpoint, job)
    if folder is not None:
        distillation.resume(folder / SAVED)
    while distillation.step < job.steps:
        told(distillation.step)
        distillation.advance()
        if folder is not None and distillation.step % SAVE_EVERY == 0:
            distillation.save(folder / SAVED)
    told(distillation.step)
    payload = distillation.payload()
    spent = {"cpu_s": round(time.process_time() - began, 2), "bytes": float(len(payload))}
    return payload, distillation.figures() | spent


def read_job(folder: Path, engine: RxtEngine) -> Job:
    """The job in a folder. Raises StateRejected for a state that the model cannot read."""
    wanted = json.loads((folder / JOB).read_text())
    sources = []
    for source in wanted["sources"]:
        if "text" in source:
            text = str(source["text"])
            sources.append(Source(engine.advance(engine.start_state(), text, "").state, text))
        else:
            sources.append(Source(engine.load_state((folder / source["state"]).read_bytes())))
    return Job(tuple(sources), int(wanted["rank"]), int(wanted["steps"]), int(wanted["seed"]))


def write_whole(path: Path, body: bytes) -> None:
    """A reader sees the whole file or none."""
    fresh = path.with_name(f"{path.name}.new")
    with fresh.open("wb") as file:
        file.write(body)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(path)


def main(given: Sequence[str] | None = None) -> int:
    """Runs the job of a folder: 0 when FOLDER/result.json and the delta are there, 1 when result.json has the error."""
    parser = argparse.ArgumentParser(prog="models.training.distil", description="Train a delta.")
    parser.add_argument("folder", type=Path)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--state-dtype", default="float32")
    options = parser.parse_args(given)
    os.nice(NICE)
    torch.set_num_threads(1)
    folder: Path = options.folder
    try:
        checkpoint = load_checkpoint(options.checkpoint)
        engine = RxtEngine(checkpoint, state_dtype=options.state_dtype)
        job = read_job(folder, engine)
        payload, figures = run(
            engine, checkpoint, job, folder, lambda step: write_whole(folder / PROGRESS, str(step).encode())
        )
    except ModelError as error:
        _answer(folder, {"code": error.code, "detail": str(error), "fields": list(getattr(error, "fields", ()))})
        return 1
    write_whole(folder / DELTA, payload)
    _answer(folder, {"sha256": sha256_of(payload), "figures": figures})
    return 0


def _answer(folder: Path, result: Mapping[str, Any]) -> None:
    write_whole(folder / RESULT, json.dumps(result).encode())


if __name__ == "__main__":
    sys.exit(main())
