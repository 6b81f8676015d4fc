"""Where the weights of recall come from, and whether they hold on what they were not made from.

    python -m benchmarks.recall_weights DATA --vectors FILE

Weights are fitted on all scopes of DATA but one (a linear model under softmax: which memory of the scope is the
evidence), and the one left out is ranked by them; each scope is left out once. Printed beside it: the weights that
are shipped. The choice of signals is not part of the fit: they were chosen on all scopes of LoCoMo's half, so only the
weights are held out. Signals that such data do not exercise keep the weight that is shipped.
"""

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from benchmarks.report import machine, publish
from memos.cli.vectors import embedder
from memos.recall.bm25 import Lexical
from memos.recall.index import RecallIndex
from memos.recall.masks import Masks
from memos.recall.meaning import meaning_of
from memos.recall.measuring.data import Data, Question, Scope, load
from memos.recall.measuring.figures import LONGEST, Answered, figures
from memos.recall.measuring.parties import Embedded
from memos.recall.measuring.run import embed_all, indexed
from memos.recall.query import Asked
from memos.recall.question import read
from memos.recall.ranking import findable
from memos.recall.signals import Scene, signals
from memos.recall.weights import WEIGHTS

KEPT = ("role", "anchor", "replaced")
FITTED = tuple(name for name in WEIGHTS if name not in KEPT)
LEARNT_FROM = 120  # memories of a question, the best by the shipped weights
RIDGE, STEPS = 1e-3, 40
Values = NDArray[np.float64]


def values_of(index: RecallIndex, embedded: Embedded, question: Question) -> tuple[list[str], Values]:
    """Cube ids, and the unweighted signals [n, signals] in the order of WEIGHTS."""
    vector = embedded.questions[index.to_embed(question.text)]
    asked, view = Asked(question.text, vector, now=question.now), index.view
    understood = read(asked, view)
    may = findable(view, Masks(), asked, understood)
    rows = np.flatnonzero(may.shown)
    meaning = meaning_of(view, index.vectors, vector, None)
    scene = Scene(view, understood, Lexical(view, understood.words), meaning, rows, may.known)
    found = signals(scene, dict.fromkeys(WEIGHTS, 1.0))
    nothing = np.zeros(len(rows))
    ids = [item.cube_id for row in rows.tolist() if (item := view.items[row]) is not None]
    return ids, np.stack([found.get(name, nothing) for name in WEIGHTS], axis=1)


def fitted(examples: list[tuple[Values, NDArray[np.bool_]]]) -> dict[str, float]:
    shipped = np.array(list(WEIGHTS.values()))
    learnt = [place for place, name in enumerate(WEIGHTS) if name in FITTED]
    inputs, targets = [], []
    for values, wanted in examples:
        best = np.argsort(-(values @ shipped), kind="stable")[:LEARNT_FROM]
        if wanted[best].any() and len(best) == LEARNT_FROM:
            inputs.append(torch.tensor(values[best][:, learnt]))
            targets.append(torch.tensor(wanted[best] / wanted[best].sum()))
    x, y = torch.stack(inputs), torch.stack(targets)
    weights = torch.zeros(len(learnt), dtype=torch.float64, requires_grad=True)
    optimizer = torch.optim.LBFGS([weights], max_iter=STEPS, line_search_fn="strong_wolfe")

    def closure() -> torch.Tensor:
        optimizer.zero_grad()
        loss = -(torch.log_softmax(x @ weights, 1) * y).sum(1).mean() + RIDGE * (weights**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    made = dict(zip(FITTED, weights.detach().tolist(), strict=True))
    return {name: made.get(name, weight) for name, weight in WEIGHTS.items()}


def ranked(scope: Scope, answers: list[tuple[list[str], Values]], weights: dict[str, float]) -> list[Answered]:
    used = np.array([weights[name] for name in WEIGHTS])
    made = []
    for question, (ids, values) in zip(scope.questions, answers, strict=True):
        order = np.argsort(-(values @ used), kind="stable")[:LONGEST]
        made.append(Answered(scope.id, question.kind, question.evidence, tuple(ids[place] for place in order)))
    return made


def summary(answers: list[Answered]) -> dict[str, Any]:
    kinds = dict.fromkeys(answer.kind for answer in answers)
    return figures(answers) | {
        f"recall@10 {kind}": figures([one for one in answers if one.kind == kind])["recall@10"] for kind in kinds
    }


def run(data: Data, embedded: list[Embedded]) -> dict[str, Any]:
    signals_of = []
    for scope, own in zip(data.scopes, embedded, strict=True):
        index = indexed(scope, own.items)
        signals_of.append([values_of(index, own, question) for question in scope.questions])
    held_out, shipped, folds = [], [], []
    for left, scope in enumerate(data.scopes):
        examples = [
            (values, np.isin(ids, question.evidence))
            for other, answers in enumerate(signals_of)
            if other != left
            for question, (ids, values) in zip(data.scopes[other].questions, answers, strict=True)
        ]
        weights = fitted(examples)
        mine = ranked(scope, signals_of[left], weights)
        held_out += mine
        shipped += ranked(scope, signals_of[left], dict(WEIGHTS))
        rounded = {name: round(weight, 2) for name, weight in weights.items()}
        folds.append({"left_out": scope.id, "recall@10": figures(mine)["recall@10"], "weights": rounded})
    return {"left_out_each_once": summary(held_out), "shipped": summary(shipped), "folds": folds}


def main() -> None:
    parser = argparse.ArgumentParser(description="Fit the weights of recall on all scopes but one.")
    parser.add_argument("data", type=Path)
    parser.add_argument("--vectors", type=Path, required=True, help="as `memos bench recall --vectors` kept them")
    given = parser.parse_args()
    if not given.vectors.exists():
        parser.error(f"{given.vectors} is not there: run `memos bench recall {given.data} --vectors {given.vectors}`")
    data = load(given.data)
    embedded = embed_all(data, embedder(lambda command, told: (1, ""), given.vectors))
    publish({"machine": machine(), **run(data, embedded)})


if __name__ == "__main__":
    main()
