"""`python -m models.embed OUT`: reads a JSON list of texts from stdin, and writes their vectors to OUT, float32 [n, d],
in NumPy's own format. For programs that may not load torch themselves. Progress goes to stderr, one line a step.
"""

import json
import sys
from pathlib import Path

import numpy as np

from models.embed.sentence_encoder import SentenceEncoder
from models.errors import ModelError

AT_ONCE = 512


def main() -> int:
    """Exit code 0, 1 where there is no encoder, 2 for wrong use."""
    if len(sys.argv) != 2:
        print(__doc__, file=sys.stderr)
        return 2
    try:
        encoder = SentenceEncoder.load()
    except ModelError as error:
        print(f"error: {error.code}: {error}", file=sys.stderr)
        return 1
    texts = json.load(sys.stdin)
    made = []
    for start in range(0, len(texts), AT_ONCE):
        made.append(encoder.encode(texts[start : start + AT_ONCE]))
        print(f"progress: embedded {min(start + AT_ONCE, len(texts))} of {len(texts)}", file=sys.stderr, flush=True)
    np.save(Path(sys.argv[1]), np.concatenate(made) if made else np.zeros((0, encoder.dimension), np.float32))
    return 0


if __name__ == "__main__":
    sys.exit(main())
