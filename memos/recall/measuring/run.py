"""Runs the parties over the data. Vectors come from whoever calls, so nothing here knows a model."""

import os
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from memos.recall.index import RecallIndex
from memos.recall.measuring.data import Data, Scope
from memos.recall.measuring.figures import Answered, by_group, figures
from memos.recall.measuring.parties import PARTIES, STEPS, Embedded, Party
from memos.recall.weights import WEIGHTS

Embed = Callable[[Sequence[str]], NDArray[np.float32]]


def measure(data: Data, embed: Embed, *, ablation: bool) -> dict[str, Any]:
    """Everything that `memos bench recall` prints."""
    load = os.getloadavg()[0]
    embedded = embed_all(data, embed)
    found: dict[str, Any] = {
        "scopes": len(data.scopes),
        "memories": sum(len(scope.items) for scope in data.scopes),
        "questions": sum(len(scope.questions) for scope in data.scopes),
        "skipped": {
            "malformed_evidence": data.skipped.malformed_evidence,
            "unknown_evidence": data.skipped.unknown_evidence,
            "questions_without_evidence": data.skipped.without_evidence,
        },
        "machine": {"cores": os.cpu_count(), "load_1_min": round(load, 2)},
        "parties": {},
    }
    for name, party in PARTIES.items():
        answers, cpu_ms = ask(data, embedded, party, WEIGHTS)
        found["parties"][name] = {**by_group(answers), "cpu_ms_per_question": round(cpu_ms, 3)}
    if ablation:
        rows = [(name, ask(data, embedded, party, weights)[0]) for name, party, weights in STEPS]
        found["ablation"] = [_row(name, answers) for name, answers in rows]
    return found


def embed_all(data: Data, embed: Embed) -> list[Embedded]:
    """All texts of all scopes in one go."""
    texts: dict[str, int] = {}
    asked: list[list[str]] = []
    for scope in data.scopes:
        index = indexed(scope, None)
        own = [text for one in scope.questions for text in (one.text, index.to_embed(one.text))]
        asked.append(own)
        for text in [*(item.text for item in scope.items), *own]:
            texts.setdefault(text, len(texts))
    vectors = embed(list(texts))
    return [
        Embedded(vectors[[texts[item.text] for item in scope.items]], {text: vectors[texts[text]] for text in own})
        for scope, own in zip(data.scopes, asked, strict=True)
    ]


def indexed(scope: Scope, vectors: NDArray[np.float32] | None, weights: Mapping[str, float] = WEIGHTS) -> RecallIndex:
    index = RecallIndex(1 if vectors is None else vectors.shape[1], weights=weights)
    if vectors is None:
        index.put(scope.items)
    else:
        index.put(replace(item, vector=vector) for item, vector in zip(scope.items, vectors, strict=True))
    return index


def ask(
    data: Data, embedded: Sequence[Embedded], party: type[Party], weights: Mapping[str, float]
) -> tuple[list[Answered], float]:
    """The answers, and milliseconds of processor time a question."""
    answers: list[Answered] = []
    used_s = 0.0
    for scope, own in zip(data.scopes, embedded, strict=True):
        ready = party(scope, own, indexed(scope, own.items, weights))
        begun_s = time.process_time()
        found = [ready.find(question) for question in scope.questions]
        used_s += time.process_time() - begun_s
        answers += [
            Answered(scope.id, question.kind, question.evidence, ids)
            for question, ids in zip(scope.questions, found, strict=True)
        ]
    return answers, used_s / max(len(answers), 1) * 1e3


def _row(name: str, answers: Sequence[Answered]) -> dict[str, Any]:
    kinds = dict.fromkeys(answer.kind for answer in answers)
    overall = figures(answers)
    return {
        "signals": name,
        **{key: overall[key] for key in ("recall@5", "recall@10", "recall@20", "mrr")},
        "recall@10_by_kind": {
            kind: figures([answer for answer in answers if answer.kind == kind])["recall@10"] for kind in kinds
        },
    }
