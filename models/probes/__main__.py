"""`python -m models.probes`: prints one JSON object; progress goes to stderr, one line a step, marked by `PROGRESS`."""

import argparse
import json
import sys
from pathlib import Path

from models.errors import ModelError
from models.probes.registry import PROBES
from models.probes.run import load, run

PROGRESS = "progress: "  # `memos.cli.bench` reads such lines


def _seeds(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def _positive(text: str) -> int:
    number = int(text)
    if number < 1:
        raise ValueError
    return number


def main() -> int:
    """Exit code 0, 1 for what cannot be measured (a bad checkpoint), 2 for wrong use."""
    parser = argparse.ArgumentParser(prog="models.probes", description="Measure what a checkpoint remembers.")
    parser.add_argument("--checkpoint", type=Path, help="a folder; the released one by default")
    parser.add_argument("--twin", type=Path, help="folder of a stateless twin to compare with")
    parser.add_argument("--seeds", type=_seeds, default=[1, 2, 3], help="1,2,3 by default")
    parser.add_argument("--n", type=_positive, default=50, help="conversations per figure and seed")
    parser.add_argument("--only", choices=list(PROBES), help="one probe")
    given = parser.parse_args()
    try:
        parties = load(given.checkpoint, given.twin)
    except ModelError as error:
        print(f"error: {error.code}: {error}", file=sys.stderr)
        return 1
    names = [given.only] if given.only else list(PROBES)
    found = run(parties, names, given.seeds, given.n, lambda line: print(PROGRESS + line, file=sys.stderr, flush=True))
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return 0


if __name__ == "__main__":
    sys.exit(main())
