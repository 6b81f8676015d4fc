"""Fills a database with cubes as a year of use would leave them: rows made as the service makes them, hashes and all,
but copied in by the administrator with triggers and foreign keys off, and the chain and the heads checked afterwards.
"""

import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import accumulate
from typing import Any

import psycopg
from psycopg import sql

from memos.cubes.versions import timestamp
from memos.kernel.canonical import canonical_json, commitment, sha256_hex
from memos.kernel.version import VersionFacts, version_hash
from tests.api.talk import look
from tests.support.evidence import connect
from tests.support.live import Live

YEAR_S = 365 * 86_400
LONG = 100  # cubes with long histories share a fifth of all versions
WORDS = [f"{first}{second}" for first in "ba ce di fo gu ka le mi no pu".split() for second in "n r s t lm nd".split()]
CUBE = "tenant_id id kind user_id lifecycle head_version_id head_number priority tags created_at".split()
VERSION = (
    "tenant_id id cube_id number operation parent_id parent_hash hash commitment nonce payload content payload_sha256 "
    "size_bytes fingerprint created_at created_by"
).split()
EDGE = "tenant_id child_id parent_id relation".split()
EVENT = (
    "tenant_id id cube_id event from_lifecycle to_lifecycle reason details created_at created_by"
).split()  # fmt: skip
Row = tuple[Any, ...]
Rows = dict[str, list[Row]]


@dataclass
class Filled:
    """`cubes`: (id, versions, when it began), oldest first."""

    tenant_id: str
    users: int
    seed: int
    begun: datetime
    cubes: list[tuple[str, int, datetime]] = field(default_factory=list)
    texts: list[tuple[str, int, datetime]] = field(default_factory=list)
    stored_bytes: int = 0

    @cached_property
    def longest(self) -> list[tuple[str, int, datetime]]:
        return sorted(self.cubes, key=lambda cube: cube[1])[-LONG:]


def fill(live: Live, cubes: int, versions: int, users: int, seed: int) -> Filled:
    """Raises AssertionError if what was copied in is not a chain."""
    begun = datetime.now(UTC) - timedelta(seconds=YEAR_S + 86_400)
    filled = Filled(str(look(live, "SELECT id FROM tenants LIMIT 1")[0]["id"]), users, seed, begun)
    maker = _Maker(filled, random.Random(seed), _lengths(random.Random(seed), cubes, versions))
    with connect(live.database.admin) as admin:
        admin.execute("SET session_replication_role = replica")
        for batch in maker.batches():
            for table, columns in (
                ("memcubes", CUBE), ("memcube_versions", VERSION), ("lineage_edges", EDGE), ("cube_events", EVENT)
            ):  # fmt: skip
                _copy(admin, table, columns, batch[table])
        admin.execute("SET session_replication_role = origin")
        admin.execute("VACUUM ANALYZE memcubes, memcube_versions, lineage_edges, cube_events")
        admin.execute("CHECKPOINT")
        _check(admin, cubes, versions)
        (filled.stored_bytes,) = admin.execute("SELECT pg_database_size(current_database())").fetchone() or (0,)
    return filled


def _lengths(rng: random.Random, cubes: int, versions: int) -> list[int]:
    """How many versions each cube has, oldest first."""
    long = rng.sample(range(cubes), min(LONG, cubes))
    lengths = [1] * cubes
    for number in range(versions - cubes):
        lengths[rng.choice(long) if number % 5 == 0 else rng.randrange(cubes)] += 1
    return lengths


def _copy(admin: "psycopg.Connection[Any]", table: str, columns: list[str], rows: list[Row]) -> None:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    with (
        admin.cursor() as cursor,
        cursor.copy(sql.SQL("COPY {} ({}) FROM STDIN").format(sql.Identifier(table), names)) as copy,
    ):
        for row in rows:
            copy.write_row(row)


def _check(admin: "psycopg.Connection[Any]", cubes: int, versions: int) -> None:
    assert admin.execute("SELECT count(*) FROM memcubes").fetchone() == (cubes,)
    assert admin.execute("SELECT count(*) FROM memcube_versions").fetchone() == (versions,)
    wrong = admin.execute(
        "SELECT count(*) FROM memcube_versions v LEFT JOIN memcube_versions p ON p.id = v.parent_id "
        "AND p.cube_id = v.cube_id AND p.number = v.number - 1 AND p.hash = v.parent_hash "
        "AND p.created_at < v.created_at WHERE v.number > 0 AND p.id IS NULL"
    ).fetchone()
    assert wrong == (0,), f"{wrong} versions do not follow theirs"
    heads = admin.execute(
        "SELECT count(*) FROM memcubes c JOIN memcube_versions v ON v.id = c.head_version_id AND v.cube_id = c.id "
        "AND v.number = c.head_number WHERE NOT EXISTS (SELECT FROM memcube_versions n "
        "WHERE n.cube_id = c.id AND n.number = c.head_number + 1)"
    ).fetchone()
    assert heads == (cubes,), "a head is not the newest version"


class _Maker:
    """Makes the rows, oldest cube first, in batches."""

    def __init__(self, filled: Filled, rng: random.Random, lengths: list[int]) -> None:
        self._filled = filled
        self._rng = rng
        self._lengths = lengths
        self._starts = sorted(rng.random() * YEAR_S * 0.9 for _ in lengths)
        self._first: list[str] = []  # first versions, for forks and merges to begin from

    def batches(self, size: int = 5_000) -> Iterator[Rows]:
        for start in range(0, len(self._lengths), size):
            rows: Rows = {table: [] for table in ("memcubes", "memcube_versions", "lineage_edges", "cube_events")}
            for number in range(start, min(start + size, len(self._lengths))):
                self._cube(rows, number)
            yield rows

    def _id(self, prefix: str, moment: datetime) -> str:
        """As a uuid7 of that moment."""
        return f"{prefix}_{int(moment.timestamp() * 1000):012x}7{self._rng.getrandbits(76):019x}"

    def _cube(self, rows: Rows, number: int) -> None:
        rng, filled, length = self._rng, self._filled, self._lengths[number]
        start_s = self._starts[number]
        steps = sorted(rng.random() for _ in range(length - 1))
        moments = [filled.begun + timedelta(seconds=start_s)] + [
            filled.begun + timedelta(seconds=start_s + 1 + (YEAR_S - start_s - 1) * step) for step in steps
        ]
        for place in range(1, length):  # two draws may be equal, two moments of a cube may not
            moments[place] = max(moments[place], moments[place - 1] + timedelta(microseconds=1))
        cube_id = self._id("cube", moments[0])
        kind = "activation" if number % 20 == 7 else "plaintext"
        versions = self._versions(rows, cube_id, kind, moments)
        self._parents(rows, versions[0])
        self._events(rows, cube_id, moments[0], archived=number % 10 == 3)
        user_id = f"user-{int(filled.users * rng.random() ** 2)}"
        lifecycle = "archived" if number % 10 == 3 else "activated"
        rows["memcubes"].append((
            filled.tenant_id, cube_id, kind, user_id, lifecycle, versions[-1], length - 1, 0, [], moments[0],
        ))  # fmt: skip
        filled.cubes.append((cube_id, length, moments[0]))
        if kind == "plaintext":
            filled.texts.append((cube_id, length, moments[0]))
        self._first.append(versions[0])

    def _versions(self, rows: Rows, cube_id: str, kind: str, moments: list[datetime]) -> list[str]:
        tenant_id, rng = self._filled.tenant_id, self._rng
        words = rng.choices(WORDS, k=1500 if len(self._first) % 2000 == 9 else 30)
        made: list[str] = []
        parent: tuple[str | None, str | None] = (None, None)
        for number, moment in enumerate(moments):
            words[rng.randrange(len(words))] = rng.choice(WORDS)
            content = " ".join(words) if kind == "plaintext" else None
            body = (content or "start").encode()
            nonce, operation = rng.randbytes(32), "revise" if number else "create"
            fingerprint = None if content else "0" * 64
            sealed = commitment(nonce, sha256_hex(body))
            facts = VersionFacts(cube_id, number, operation, fingerprint, None, None, None, timestamp(moment), "filler")
            hashed = version_hash(parent[1], facts, sealed)
            made.append(self._id("ver", moment))
            rows["memcube_versions"].append((
                tenant_id, made[-1], cube_id, number, operation, *parent, hashed, sealed, nonce,
                "text" if content else "start", content, sha256_hex(body), len(body), fingerprint, moment, "filler",
            ))  # fmt: skip
            if parent[0] is not None:
                rows["lineage_edges"].append((tenant_id, made[-1], parent[0], "revises"))
            parent = (made[-1], hashed)
        return made

    def _parents(self, rows: Rows, first: str) -> None:
        """One in ten begins as a fork, and one in twenty from two others."""
        drawn = self._rng.random()
        relations = ["forks"] if drawn < 0.1 else ["merges", "merges"] if drawn < 0.15 else []
        for parent in self._rng.sample(self._first, min(len(relations), len(self._first))):
            rows["lineage_edges"].append((self._filled.tenant_id, first, parent, relations[0]))

    def _events(self, rows: Rows, cube_id: str, begun: datetime, *, archived: bool) -> None:
        said = {"priority": 0, "tags": [], "expires_at": None, "visibility": "owner", "sensitivity": "normal",
                "semantic_type": None}  # fmt: skip
        told: list[tuple[str, str | None, str | None, dict[str, Any]]] = [
            ("create", None, "generated", {"to": said}), ("transition", "generated", "activated", {}),
        ]  # fmt: skip
        if archived:
            told += [("change", None, None, {"to": change}) for change in ({"tags": ["old"]}, {"priority": -1})]
            told.append(("transition", "activated", "archived", {}))
        apart = accumulate([0.001, 0.001] + [self._rng.random() * 86_400 for _ in told[2:]])
        for (event, of, to, details), after_s in zip(told, apart, strict=True):
            moment = begun + timedelta(seconds=after_s)
            rows["cube_events"].append((
                self._filled.tenant_id, self._id("event", moment), cube_id, event, of, to, "filled",
                canonical_json(details).decode(), moment, "filler",
            ))  # fmt: skip
