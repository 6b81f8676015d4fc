"""The erasure proof at length: N conversations of F facts, each random words, of which a part is erased; the hunt
before and after, the control for every state that goes on, seconds and bytes. Prints JSON.

    python -m benchmarks.erasure_proof --conversations 100 --facts 20
"""

import argparse
import json
import os
import time
from collections import Counter
from datetime import datetime
from pathlib import Path
from typing import Any

from memos.generation import registry
from memos.kernel.version import broken_links
from tests.api.talk import chain, look
from tests.erasure.engine import TellingEngine
from tests.erasure.hunt import GONE, STAYS, Found, in_files, in_sql, vectors
from tests.erasure.scene import Scene, Told, control, embedded
from tests.support.live import Live, serve
from tests.support.postgres import Cluster, cluster


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--conversations", type=int, default=100)
    options.add_argument("--facts", type=int, default=20)
    options.add_argument("--seed", type=int, default=20261124)
    chosen = options.parse_args()
    registry.IN_PROCESS = {**registry.IN_PROCESS, "echo": TellingEngine}  # its states and answers hold every word
    with cluster() as running, cluster() as other:
        print(json.dumps(proof(running, other, chosen.conversations, chosen.facts, chosen.seed), indent=1))


def proof(running: Cluster, other: Cluster, conversations: int, facts: int, seed: int) -> dict[str, Any]:
    database = running.database()
    with serve(database, database_admin_url=database.admin) as service, service.client() as client:
        client.timeout = 120
        scene = Scene(client, seed, facts)
        began = time.monotonic()
        for number in range(conversations):
            # A third each: a user, a conversation, turns; every fifth has a fork.
            kind = number % 3
            scene.converse(whole=kind < 2, user_goes=kind == 0, fork=number % 5 == 4)
        told_s = time.monotonic() - began
        look(service, "ALTER TABLE turns ALTER input SET STATISTICS 100")
        look(service, "ANALYZE turns")
        embedded(service)
        gone = vectors(database.admin, GONE, most=20)
        before = hunted(service, running, GONE, gone)
        stays_before = in_sql(Found(), database.admin, STAYS).total
        erased = [(told, scene.erase(told)) for told in scene.conversations]
        began = time.monotonic()
        receipts = [scene.ended(id, 3600) for _, ids in erased for id in ids]
        erased_s = time.monotonic() - began
        after = hunted(service, running, GONE, gone)
        kept = [told for whole in scene.conversations for told in [whole, *whole.forks] if not told.whole]
        checked = [
            client.post("/v1/erasures/verify", json={"receipt": one["receipt"]}).json()["ok"] for one in receipts
        ]
        return {
            "conversations": conversations,
            "facts_each": facts,
            "seed": seed,
            "told_s": round(told_s, 1),
            "erasures": len(receipts),
            "erased_s": round(erased_s, 1),
            "logical_s": spread([seconds(one, "logical_at") for one in receipts]),
            "found_before": dict(before.counts),
            "found_after": dict(after.counts),
            "found_after_total": after.total,
            "kept_words_before": stays_before,
            "kept_words_after": in_sql(Found(), database.admin, STAYS).total,
            "receipts_that_verify": Counter(map(str, checked)),
            "chains_broken": sum(len(broken(client, told)) for told in kept),
            "states_compared": len(kept),
            "states_unequal": unequal(scene, kept, other),
            "load": os.getloadavg()[0],
        }


def hunted(service: Live, running: Cluster, mark: str, gone: list[bytes]) -> Found:
    found = in_sql(Found(gone), service.database.admin, mark)
    look(service, "CHECKPOINT")
    return in_files(found, [service.data_dir, Path(running.server.cluster)], mark)


def unequal(scene: Scene, kept: list[Told], other: Cluster) -> int:
    """States that are not those of a service, in another cluster, that was told what stays and nothing else."""
    with serve(other.database()) as fresh, fresh.client() as client:
        return sum(scene.state(told) != control(client, scene.left(told)) for told in kept)


def broken(client: Any, told: Told) -> list[str]:
    cube = client.get(f"/v1/conversations/{told.id}").json()["state_cube_id"]
    return broken_links(chain(client, cube))


def seconds(erasure: dict[str, Any], stage: str) -> float:
    """From the hold to the stage: how long what it holds was refused at most."""
    logical = erasure["receipt"]["logical"]
    took = moment(erasure[stage]) - moment(logical["held_at"])
    return max(0.0, took.total_seconds())


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text.replace("Z", "+00:00"))


def spread(values: list[float]) -> dict[str, float]:
    ordered = sorted(values)
    at = {"median": 0.5, "p95": 0.95, "most": 1.0}
    return {name: round(ordered[min(len(ordered) - 1, int(part * len(ordered)))], 2) for name, part in at.items()}


if __name__ == "__main__":
    main()
