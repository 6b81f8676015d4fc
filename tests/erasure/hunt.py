"""Hunts for erased words in everything that a service leaves anywhere: the bytes of every file of the data directory
and of the cluster, what SQL can read (which also decompresses), Redis, logs.

A word that is to be erased begins with a mark of five letters that occurs nowhere else, so that a piece of it, as it
stands in a compressed page, is found too; a word that stays begins with another. Hunted are the mark as it is, in any
case, in hexadecimal (as bytes are dumped), in UTF-16 and at all three places that it can take in base64.

A vector is made of words and tells of them: those of texts with the mark are hunted too, as they lie in memory and as
they are dumped.
"""

import base64
import random
import string
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import psycopg
from sqlalchemy import make_url

GONE = "vexqj"  # begins every word that is to be erased
STAYS = "wumzk"  # and every word that is not
CHUNK = 16 * 1024 * 1024


def words(seed: int, mark: str) -> Iterator[str]:
    """Unmistakable ones, some with letters beyond ASCII."""
    draw = random.Random(f"{seed} {mark}")
    while True:
        word = mark + "".join(draw.choices(string.ascii_lowercase, k=9))
        yield word + draw.choice(["", "é", "ß"])


def forms(mark: str) -> dict[str, list[bytes]]:
    """How a mark may stand in bytes that are first put into lower case, or are not."""
    plain = mark.encode()
    found = {"plain": [plain], "hex": [plain.hex().encode()]}
    found["utf-16"] = [mark.encode("utf-16-le"), mark.encode("utf-16-be")]
    found["base64"] = []
    for before in range(3):
        whole = base64.b64encode(b"\0" * before + plain + b"\0\0\0")
        first, last = (before * 8 + 5) // 6, (before + len(plain)) * 8 // 6
        found["base64"].append(whole[first:last])
    return found


@dataclass
class Found:
    """How often, by store and form. `vectors`: bytes that are hunted beside the mark."""

    vectors: Sequence[bytes] = ()
    counts: Counter[str] = field(default_factory=Counter)
    places: set[str] = field(default_factory=set)

    @property
    def total(self) -> int:
        return self.counts.total()

    def stores(self) -> set[str]:
        return {name.partition(":")[0] for name in self.counts}

    def look(self, store: str, place: str, data: bytes, mark: str) -> None:
        lower = data.lower()
        for form, patterns in forms(mark).items():
            times = sum((data if form == "base64" else lower).count(pattern) for pattern in patterns)
            if times:
                self.counts[f"{store}:{form}"] += times
                self.places.add(place)
        times = sum(data.count(vector) + lower.count(vector.hex().encode()) for vector in self.vectors)
        if times:
            self.counts[f"{store}:vector"] += times
            self.places.add(place)


def in_files(found: Found, folders: Iterable[Path], mark: str) -> Found:
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and not path.is_symlink():
                _in_file(found, path, mark)
    return found


def _in_file(found: Found, path: Path, mark: str) -> None:
    parts = path.parts
    store = next((name for name in ("pg_wal", "blobs", "base", "global") if name in parts), "other files")
    store = {"pg_wal": "log of changes", "base": "tables", "global": "tables"}.get(store, store)
    try:
        with path.open("rb") as file:
            tail = b""
            while chunk := file.read(CHUNK):
                found.look(store, str(path), tail + chunk, mark)
                tail = chunk[-max(len(mark) * 4, *map(len, found.vectors), 0) :]
                if any(pattern in tail.lower() for patterns in forms(mark).values() for pattern in patterns):
                    tail = b""  # counted already
    except FileNotFoundError:
        return  # a file of the log, or of a rewritten table, that has just gone


def vectors(admin_url: str, mark: str, most: int = 12) -> list[bytes]:
    """Of texts with the mark, those that no other text has: from their first number that is not zero to their last."""
    address = make_url(admin_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        rows = connection.execute(
            "SELECT e.vector FROM embeddings e JOIN memcube_versions v ON v.id = e.version_id GROUP BY e.vector "
            "HAVING bool_and(v.content ILIKE %s) ORDER BY e.vector LIMIT %s", [f"%{mark}%", most],
        ).fetchall()  # fmt: skip
    found = [np.frombuffer(row[0], "<f4") for row in rows]
    return [vector[np.flatnonzero(vector)[0] : np.flatnonzero(vector)[-1] + 1].tobytes() for vector in found]


def in_sql(found: Found, admin_url: str, mark: str) -> Found:
    """Every row of every table and of the planner's samples, as text."""
    address = make_url(admin_url).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(address, autocommit=True) as connection:
        tables = [row[0] for row in connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")]
        for table in tables:
            _copy(found, connection, "dump", table, f'COPY "{table}" TO STDOUT', mark)
        _copy(found, connection, "samples", "pg_statistic", "COPY (SELECT s::text FROM pg_statistic s) TO STDOUT", mark)
    return found


def _copy(found: Found, connection: "psycopg.Connection[Any]", store: str, name: str, query: str, mark: str) -> None:
    with connection.cursor() as cursor, cursor.copy(query) as copy:
        body = b"".join(bytes(part) for part in copy)
    found.look(store, name, body, mark)


def in_redis(found: Found, client: Any, mark: str) -> Found:
    for key in client.scan_iter():
        found.look("redis", key.decode("latin-1"), key + (client.dump(key) or b""), mark)
    return found
