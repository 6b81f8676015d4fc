"""LangGraph's SQLite store, in its own process and environment: python store_langgraph.py FOLDER SIZES

It is given the same texts and vectors (`benchmarks.store_peers` writes them to the folder) and prints JSON. Nothing of
memos is imported here, because nothing of it is installed beside it.
"""

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pysqlite3 as sqlite3  # Python's own is often built without extensions, which the store needs

sys.modules["sqlite3"] = sqlite3

from langgraph.store.base import PutOp  # noqa: E402
from langgraph.store.sqlite import SqliteStore  # noqa: E402

SINGLES, BATCHES, BATCH, QUESTIONS = 300, 3, 1_000, 40


def main() -> int:
    folder, sizes = Path(sys.argv[1]), [int(size) for size in sys.argv[2].split(",")]
    vectors, asked = np.load(folder / "vectors.npy"), np.load(folder / "asked.npy")
    texts, questions = json.loads((folder / "texts.json").read_text())
    known = dict(zip(texts, vectors, strict=True)) | dict(zip(questions, asked, strict=True))

    def embed(wanted: list[str]) -> list[list[float]]:
        return [known[text if text in known else json.loads(text)["text"]].tolist() for text in wanted]

    found: dict[str, object] = {"search": {}}
    with tempfile.TemporaryDirectory() as place:
        connection = sqlite3.connect(Path(place) / "store.db", check_same_thread=False, isolation_level=None)
        store = SqliteStore(connection, index={"dims": vectors.shape[1], "embed": embed, "fields": ["text"]})
        store.setup()
        began = time.process_time()
        for number in range(SINGLES):
            store.put(("memories", "ada"), f"single-{number}", {"text": texts[number]})
        found["adds_per_cpu_s"] = SINGLES / (time.process_time() - began)
        began = time.process_time()
        for number in range(BATCHES):
            _batch(store, "batched", texts, number * BATCH, (number + 1) * BATCH)
        found["batched_per_cpu_s"] = BATCHES * BATCH / (time.process_time() - began)
        for size in sizes:
            for at in range(0, size, BATCH):
                _batch(store, f"user-{size}", texts, at, min(size, at + BATCH))
            spent = []
            for question in questions[:QUESTIONS]:
                began = time.process_time()
                store.search(("memories", f"user-{size}"), query=question, limit=10)
                spent.append((time.process_time() - began) * 1000)
            found["search"][str(size)] = spent  # type: ignore[index]
    print(json.dumps(found))
    return 0


def _batch(store: SqliteStore, user: str, texts: list[str], begin: int, end: int) -> None:
    store.batch([PutOp(("memories", user), f"memory-{at}", {"text": texts[at]}) for at in range(begin, end)])


if __name__ == "__main__":
    sys.exit(main())
