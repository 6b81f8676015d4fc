"""txtai's hybrid index, in its own process and environment: python store_txtai.py FOLDER SIZES

As `store_langgraph`: the same texts and vectors from a folder, JSON to stdout. Its index is of one user.
"""

import json
import sys
import time
from pathlib import Path

import numpy as np
from txtai import Embeddings

QUESTIONS = 40


def main() -> int:
    folder, sizes = Path(sys.argv[1]), [int(size) for size in sys.argv[2].split(",")]
    vectors, asked = np.load(folder / "vectors.npy"), np.load(folder / "asked.npy")
    texts, questions = json.loads((folder / "texts.json").read_text())
    known = dict(zip(texts, vectors, strict=True)) | dict(zip(questions, asked, strict=True))

    def transform(wanted: list[str]) -> "np.ndarray":
        return np.stack([known[text] for text in wanted])

    found: dict[str, object] = {"search": {}}
    for size in sizes:
        index = Embeddings(method="external", transform=transform, hybrid=True, content=True)
        began = time.process_time()
        index.index((number, texts[number], None) for number in range(size))
        found["indexed_per_cpu_s"] = size / (time.process_time() - began)
        spent = []
        for question in questions[:QUESTIONS]:
            began = time.process_time()
            index.search(question, 10)
            spent.append((time.process_time() - began) * 1000)
        found["search"][str(size)] = spent  # type: ignore[index]
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
