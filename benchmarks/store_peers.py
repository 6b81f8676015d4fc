"""Peers of the store, each in a virtual environment of its own that is made for it and kept for the next run.

What cannot be installed, or fails, is told with the reason and is no figure.
"""

import json
import os
import subprocess
import sys
import venv
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import spread
from benchmarks.store_data import Made

INSTALL_TIMEOUT_S = 900
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"), "1")


@dataclass(frozen=True)
class Peer:
    script: str
    packages: tuple[str, ...]


PEERS: Mapping[str, Peer] = {
    "langgraph_sqlite": Peer("store_langgraph.py", ("langgraph-checkpoint-sqlite", "pysqlite3-binary", "numpy")),
    "txtai_hybrid": Peer("store_txtai.py", ("txtai", "numpy")),
}


def write(folder: Path, made: Made) -> None:
    """What the peers are given."""
    np.save(folder / "vectors.npy", made.vectors)
    np.save(folder / "asked.npy", made.asked)
    (folder / "texts.json").write_text(json.dumps([made.texts, made.questions]))


def ask(name: str, data: Path, environments: Path, sizes: list[int], timeout_s: float) -> dict[str, Any]:
    """What a peer measured; of its searches the spread of CPU milliseconds."""
    peer = PEERS[name]
    try:
        python = _environment(name, peer, environments)
        command = [str(python), str(Path(__file__).with_name(peer.script)), str(data), ",".join(map(str, sizes))]
        ended = subprocess.run(
            command, capture_output=True, text=True, timeout=timeout_s, env=os.environ | ONE_THREAD, check=True
        )
    except subprocess.CalledProcessError as error:
        last = (error.stderr or "").strip().splitlines()[-1:]
        return {"failed": f"it ended with {error.returncode}: {' '.join(last)}"}
    except subprocess.TimeoutExpired as error:
        return {"failed": f"no answer within {error.timeout:.0f} s"}
    found: dict[str, Any] = json.loads(ended.stdout.splitlines()[-1])
    found["search_cpu_ms"] = {size: spread(spent) for size, spent in found.pop("search").items()}
    return found


def _environment(name: str, peer: Peer, environments: Path) -> Path:
    place = environments / name
    python = place / "bin" / "python"
    done = place / "installed"
    if not done.exists():
        print(f"progress: installing {', '.join(peer.packages)}", file=sys.stderr, flush=True)
        venv.create(place, with_pip=True, clear=True)
        command = [str(python), "-m", "pip", "install", "--quiet", *peer.packages]
        subprocess.run(command, check=True, capture_output=True, text=True, timeout=INSTALL_TIMEOUT_S)
        done.touch()
    return python
