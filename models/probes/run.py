"""Runs probes over seeds and says how far it is."""

import os
import platform
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch

from models.baselines.engine import TwinEngine
from models.engine import RxtEngine
from models.probes import formats, provenance, recall, recalled, revision
from models.probes.parties import Parties
from models.probes.registry import PROBES, Bench
from models.probes.tally import Tally, rows_of
from models.rxt.checkpoint import RELEASED, TOKENIZER
from models.text.tokenizer import Tokenizer

Say = Callable[[str], None]
MODULES = (recall, revision, recalled, formats, provenance)  # importing them fills the registry, in this order


def load(checkpoint: Path | None, twin: Path | None) -> Parties:
    """Who is asked. Raises CheckpointCorrupt."""
    engine = RxtEngine.load(checkpoint)
    tokenizer = Tokenizer.load((checkpoint or RELEASED) / TOKENIZER)
    return Parties(engine, frozenset(tokenizer.words), checkpoint, TwinEngine.load(twin) if twin else None)


def run(parties: Parties, names: Sequence[str], seeds: Sequence[int], n: int, say: Say) -> dict[str, Any]:
    """All rows of these probes, with the cost and the machine. Raises KeyError for a name that is no probe."""
    before, began, rows = list(os.getloadavg()), time.process_time(), []
    for place, name in enumerate(names):
        tallies = []
        for seed in seeds:
            spent = time.process_time() - began
            say(f"{name}, seed {seed} ({place + 1} of {len(names)} probes, {spent:.0f} CPU s so far)")
            bench = Bench(parties, name, seed, n, Tally())
            PROBES[name](bench)
            tallies.append(bench.tally)
        rows += rows_of(name, tallies)
    return {
        "benchmark": "rxt",
        "seeds": list(seeds),
        "n": n,
        "identity": parties.engine.identity,
        "twin": parties.twin.identity if parties.twin else None,
        "machine": {
            "cpu": platform.processor() or platform.machine(),
            "cores": os.cpu_count(),
            "load_before": [round(x, 2) for x in before],
            "torch": torch.__version__,
            "cpu_s": round(time.process_time() - began, 1),
        },
        "rows": rows,
    }
