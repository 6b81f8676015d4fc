"""Seconds and bytes of a backup and of a restore: python -m benchmarks.backup --conversations 300 --turns 5

An embedded service with the echo generator holds so many conversations, each with so many turns; it is backed up while
it runs, and restored into a new data directory, every payload and every chain checked. A state of the echo generator is
small; `--turns` and the size of a real model's states (see its card) say what a real service's payloads come to.
"""

import argparse
import tempfile
import time
from pathlib import Path
from typing import Any

from benchmarks.report import machine, publish
from memos.embedded.backup import backup
from memos.embedded.progress import Progress
from memos.embedded.restore import restore
from memos.kit.config import Settings
from memos.sdk import ImportedTurn, Memos
from tests.embedded.harness import remove_with_home
from tests.support.topology import Topology, embedded

PER_IMPORT = 20


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--conversations", type=int, default=300)
    parser.add_argument("--turns", type=int, default=5)
    wanted = parser.parse_args()
    figures: dict[str, Any] = {
        "benchmark": "backup",
        "machine": machine(),
        "conversations": wanted.conversations,
        "turns_each": wanted.turns,
    }
    with embedded({}) as topology:
        fill(topology, wanted.conversations, wanted.turns)
        figures |= measure(topology.blobs.parent)
    publish(figures)
    return 0


def fill(topology: Topology, count: int, turns: int) -> None:
    """Turns are taken in as history, so that their states are computed and nothing is generated."""
    with Memos(topology.urls[0], topology.api_key) as client:
        made = [client.conversations.create(f"user {number}").id for number in range(count)]
        for conversation in made:
            for first in range(0, turns, PER_IMPORT):
                said = [
                    ImportedTurn(input=f"turn {number} of {conversation}", output=f"answer {number} " + "word " * 40)
                    for number in range(first, min(turns, first + PER_IMPORT))
                ]
                client.conversations.import_turns(conversation, said)
        for conversation in made:
            while client.conversations.get(conversation).pending_turns:
                time.sleep(0.1)


def measure(data_dir: Path) -> dict[str, Any]:
    quiet = Progress(lambda line: None)
    with tempfile.TemporaryDirectory(prefix="memos-backup-", dir="/tmp") as folder:
        place = Path(folder)
        took = backup(Settings(data_dir=data_dir, generator="echo"), place / "made", quiet)
        try:
            back = restore(Settings(data_dir=place / "restored", generator="echo"), place / "made", quiet)
        finally:
            if (place / "restored").exists():
                remove_with_home(place / "restored")
    return {
        "backup": {name: took[name] for name in ("seconds", "bytes", "database_bytes", "payloads", "payload_bytes")},
        "restore": {name: back[name] for name in ("seconds", "payloads", "versions_checked", "tenants")},
        "backup_mb_per_s": round(took["bytes"] / 1e6 / took["seconds"], 2),
        "restore_mb_per_s": round(back["bytes"] / 1e6 / back["seconds"], 2),
    }


if __name__ == "__main__":
    raise SystemExit(main())
