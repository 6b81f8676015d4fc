"""What the store costs beside its peers: python -m benchmarks.store [--full] [--only PART,...]

Parts: `index` (search in one user's index, by size), `peers` (LangGraph's SQLite store and txtai's hybrid index, on the
same texts and vectors), `adds` (over REST, eight clients, in turns with a bare endpoint of one commit), `rest` (search
over REST, growth of memory, a start after kill -9), `users` (ten thousand of them under a bound of memory), `kill9`
(`benchmarks.recall_kill9`). Embeddings are given everywhere. Prints JSON; figures are CPU of all processes that belong
to what is measured, and ratios within this run.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import store_index, store_peers, store_service, store_users
from benchmarks.report import machine, publish
from benchmarks.store_data import Made, make
from tests.support.topology import embedded

PARTS = ("index", "peers", "adds", "rest", "users", "kill9")
QUESTIONS = 100
USERS, EACH, STORED = 10_000, 600, 40
ENVIRONMENTS = Path(tempfile.gettempdir()) / "memos-bench-peers"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas between them")
    parser.add_argument("--full", action="store_true", help="a million memories too, and peers at a hundred thousand")
    parser.add_argument("--adds", type=int, default=400, help="single adds of each of three rounds")
    parser.add_argument("--store", type=int, default=100_000, help="memories of the user that REST searches")
    parser.add_argument("--cap-mb", type=int, default=2_048, help="memory for indexes with ten thousand users")
    parser.add_argument("--environments", type=Path, default=ENVIRONMENTS, help="where peers are installed")
    wanted = parser.parse_args()
    parts = wanted.only.split(",")
    if unknown := set(parts) - set(PARTS):
        parser.error(f"no such part: {', '.join(sorted(unknown))}")
    figures: dict[str, Any] = {"benchmark": "store", "machine": {"before": machine()}, "full": wanted.full}
    sizes = [600, 10_000, 100_000] + ([1_000_000] if wanted.full else [])
    made = make(max(sizes[-1] if "index" in parts else 0, wanted.store, 3 * wanted.adds, 10_000), QUESTIONS)
    if "index" in parts:
        _say("the index by itself")
        figures["index"] = store_index.measure(_first(made, sizes[-1]), sizes)
    if "peers" in parts:
        figures["peers"] = _peers(made, [600, 10_000, *([100_000] if wanted.full else [])], wanted.environments)
    if {"adds", "rest", "users"} & set(parts):
        figures |= _served(made, parts, wanted)
    if "kill9" in parts:
        _say("twenty kills")
        figures["kill9"] = _killed()
    figures["machine"]["after"] = machine()
    publish(figures | {"ratios": ratios(figures)})
    return 0


def _peers(made: Made, sizes: list[int], environments: Path) -> dict[str, Any]:
    found = {}
    with tempfile.TemporaryDirectory() as folder:
        store_peers.write(Path(folder), _first(made, sizes[-1]))
        for name in store_peers.PEERS:
            _say(f"the peer {name}")
            found[name] = store_peers.ask(name, Path(folder), environments, sizes, 1_800)
    return found


def _served(made: Made, parts: Sequence[str], wanted: argparse.Namespace) -> dict[str, Any]:
    found: dict[str, Any] = {}
    with embedded({"recall_cache_bytes": str(4 * 2**30)}) as topology:
        service = store_service.Service(topology)
        if "adds" in parts:
            _say("single adds over REST")
            found["adds"] = store_service.adds(service, made, count=wanted.adds, rounds=3)
        if "users" in parts:
            _say(f"{USERS} users")
            for owner in range(STORED):
                store_service.fill(service, _part(made, owner, EACH), f"owner-{owner}", EACH)
            found["users"] = store_users.measure(
                service, made, users=USERS, searches=5_000, most_bytes=wanted.cap_mb * 2**20, each=EACH
            ) | {"stored_users": STORED}
        if "rest" in parts:
            found["rest"] = _rest(service, made, wanted.store)
    return found


def _rest(service: store_service.Service, made: Made, size: int) -> dict[str, Any]:
    found: dict[str, Any] = {"batch": store_service.BATCH}
    _say(f"{size} memories of one user over REST")
    before_mb = service.rss_mb()
    spent = store_service.fill(service, made, "one-of-many", size)
    found["batched_per_cpu_s"] = round(size / spent.cpu_s, 1)
    found["batched_per_wall_s"] = round(size / spent.wall_s, 1)
    written_mb = service.rss_mb()
    first = store_service.first_search(service, made, "one-of-many")
    found["first_search"] = {"cpu_s": round(first.cpu_s, 2), "wall_s": round(first.wall_s, 2)}
    found["graph_cpu_s"] = store_service.settled(service)
    found["search"] = store_service.searches(service, made, "one-of-many", QUESTIONS)
    grown_mb = (service.rss_mb() - before_mb) / (size / 100_000)
    found["memory_mb"] = {
        "before": round(before_mb),
        "written": round(written_mb),
        "searched": round(service.rss_mb()),
        "per_100k": round(grown_mb),
    }
    _say("killed and started again")
    found["cold_start"] = store_service.cold_start(service, made, "one-of-many")
    return found


def _killed() -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.recall_kill9", "--kills", "20", "--json"]
    ended = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found: dict[str, Any] = json.loads(ended.stdout)
    except ValueError:
        return {"failed": (ended.stderr.strip().splitlines() or ["no answer"])[-1]}
    found.pop("cycles", None)
    return found


def ratios(figures: dict[str, Any]) -> dict[str, Any]:
    """What is published: ours to theirs, within this run."""
    found: dict[str, Any] = {}
    if "adds" in figures:
        found["single_adds_to_bare_endpoint"] = figures["adds"]["ratio_per_cpu_s"]
    peer = figures.get("peers", {}).get("langgraph_sqlite", {})
    if "rest" in figures and "batched_per_cpu_s" in peer:
        found["batched_adds_to_langgraph_sqlite"] = round(
            figures["rest"]["batched_per_cpu_s"] / peer["batched_per_cpu_s"], 2
        )
    if "adds" in figures and "adds_per_cpu_s" in peer:
        mine = figures["adds"]["memos"]["per_cpu_s"]["median"]
        found["single_adds_to_langgraph_sqlite"] = round(mine / peer["adds_per_cpu_s"], 2)
    for size, ours in figures.get("index", {}).items():
        flat = ours["floors_cpu_ms"]["faiss_flat"]["median"]
        found[f"search_{size}"] = {"to_faiss_flat": round(ours["search_cpu_ms"]["median"] / flat, 2)}
        for name, other in figures.get("peers", {}).items():
            if size in other.get("search_cpu_ms", {}):
                theirs = other["search_cpu_ms"][size]["median"]
                found[f"search_{size}"][f"to_{name}"] = round(ours["search_cpu_ms"]["median"] / theirs, 3)
    return found


def _first(made: Made, count: int) -> Made:
    return Made(made.texts[:count], made.vectors[:count], made.questions, made.asked, made.about)


def _part(made: Made, number: int, count: int) -> Made:
    at = number * count % (len(made.texts) - count)
    return Made(made.texts[at : at + count], made.vectors[at : at + count], made.questions, made.asked, made.about)


def _say(what: str) -> None:
    print(f"progress: {what}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
