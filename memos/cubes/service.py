"""Reads memory cubes: their versions, payloads and lineage."""

from typing import Literal

from sqlalchemy import RowMapping

from memos.cubes import store
from memos.cubes.schemas import (
    Behavioural,
    Cube,
    CubeEvent,
    CubeMetadata,
    Descriptive,
    Governance,
    Lineage,
    LineageEdge,
    LineageNode,
    Provenance,
    Relative,
    Trigger,
    Version,
    VersionRecord,
)
from memos.kit.errors import NotFound
from memos.kit.unit_of_work import UnitOfWork

MOST_NODES = 2000
MOST_RELATIVES = 200
Direction = Literal["up", "down", "both"]


async def get(work: UnitOfWork, cube_id: str) -> Cube:
    row = await store.get_cube(work, cube_id)
    if row is None:
        raise NotFound(f"there is no cube {cube_id}")
    return cube_view(row)


def cube_view(row: RowMapping) -> Cube:
    return Cube(**{name: row[name] for name in Cube.model_fields})


def version_view(row: RowMapping) -> Version:
    return Version(**{name: row[name] for name in Version.model_fields})


def record_view(row: RowMapping) -> VersionRecord:
    return VersionRecord(**{name: row[name] for name in VersionRecord.model_fields})


async def version_row(work: UnitOfWork, cube_id: str, number: int) -> RowMapping:
    row = await store.get_version(work, cube_id, number)
    if row is None:
        await get(work, cube_id)
        raise NotFound(f"cube {cube_id} has no version {number}")
    return row


async def lineage(work: UnitOfWork, cube_id: str, direction: Direction, depth: int) -> Lineage:
    """What a cube came from (up), what came of it (down), or both, within `depth` edges."""
    await get(work, cube_id)
    within: dict[str, None] = {}
    beyond: set[str] = set()
    for up in {"up": [True], "down": [False], "both": [True, False]}[direction]:
        # One edge further than asked for tells whether the graph goes on.
        found = await store.reached(work, cube_id=cube_id, up=up, depth=depth + 1, limit=MOST_NODES + 1)
        within.update(dict.fromkeys(version for version, steps in found.items() if steps <= depth))
        beyond.update(version for version, steps in found.items() if steps > depth)
    shown = list(within)[:MOST_NODES]
    return Lineage(
        nodes=[LineageNode(**row) for row in await store.nodes(work, shown)],
        edges=[LineageEdge(**row) for row in await store.edges(work, shown)],
        truncated=len(within) > MOST_NODES or not beyond <= within.keys(),
    )


def event_view(row: RowMapping) -> CubeEvent:
    return CubeEvent(**row)


async def metadata(work: UnitOfWork, cube_id: str) -> CubeMetadata:
    """The groups of metadata that the MemOS paper gives a cube: descriptive, governance, behavioural, provenance."""
    row = await store.get_cube(work, cube_id)
    if row is None:
        raise NotFound(f"there is no cube {cube_id}")
    head = await store.version_by_id(work, row["head_version_id"])
    relatives = await store.relatives(work, cube_id=cube_id, limit=MOST_RELATIVES + 1)
    sides: dict[str, list[Relative]] = {"parent": [], "child": []}
    for relative in relatives[:MOST_RELATIVES]:
        sides[relative["side"]].append(Relative(**{name: relative[name] for name in Relative.model_fields}))
    created = await store.created(work, cube_id)
    every = dict(row) | {"changed_at": head["created_at"]}
    every |= {"valid_from": head["valid_from"], "valid_to": head["valid_to"]}
    return CubeMetadata(
        id=cube_id,
        descriptive=Descriptive(**{name: every[name] for name in Descriptive.model_fields}),
        governance=Governance(**{name: every[name] for name in Governance.model_fields}),
        behavioural=Behavioural(
            reads=row["reads"],
            last_read_at=row["last_read_at"],
            writes=row["writes"],
            context=row["context"].get("read_in", {}),
        ),
        provenance=Provenance(
            trigger=None if created is None else Trigger(**created),
            model=row["model"] or head["fingerprint"],
            parents=sides["parent"],
            links=sides["child"],
            truncated=len(relatives) > MOST_RELATIVES,
        ),
    )
