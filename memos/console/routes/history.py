"""The past of a cube as pictures: what differs between two versions, what wrote the slots of a state, and lineage."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import StringConstraints

from memos.console import graph, heat, store
from memos.console.pages import show
from memos.console.routing import ConsoleRoute
from memos.console.session import PATH
from memos.console.visitor import Visiting, Visitor
from memos.cubes.schemas import Lineage, LineageEdge, LineageNode
from memos.http.deps import CubeId
from memos.http.routes import cubes, timemachine
from memos.kit.errors import MemosError

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
COLUMNS = 48
MEASURED = 24  # versions whose drift is computed in one look
MOST_ALSO = 20
LISTED = 200
Number = Annotated[int | None, Query(ge=0, le=2**31 - 1)]
CubeRef = Annotated[str, StringConstraints(pattern="^cube_[0-9a-f]{32}$")]
VersionRef = Annotated[str, StringConstraints(pattern="^ver_[0-9a-f]{32}$")]
Also = Annotated[list[CubeRef] | None, Query(max_length=MOST_ALSO)]
Opened = Annotated[list[VersionRef] | None, Query(max_length=100)]


@router.get("/cubes/{cube_id}/diff")
async def difference(
    request: Request,
    visitor: Visiting,
    cube_id: CubeId,
    since: Annotated[int | None, Query(alias="from", ge=0, le=2**31 - 1)] = None,
    to: Number = None,
) -> Response:
    """Between two versions; the newest two unless others are named."""
    cube = await visitor.call(cubes.get, cube_id=cube_id)
    newest = cube.head_version
    later = newest if to is None else to
    earlier = max(later - 1, 0) if since is None else since
    found = await visitor.call(timemachine.difference, cube_id=cube_id, from_version=earlier, to=later, limit=60)
    return show(request, "diff.html", cube=cube, diff=found, earlier=earlier, later=later, newest=newest, tab="diff")


@router.get("/cubes/{cube_id}/heat")
async def heat_map(
    request: Request,
    visitor: Visiting,
    cube_id: CubeId,
    layer: Annotated[int | None, Query(ge=0, le=1000)] = None,
    measure: Literal["gate", "drift"] = "gate",
    up_to: Number = None,
) -> Response:
    cube = await visitor.call(cubes.get, cube_id=cube_id)
    columns = COLUMNS if measure == "gate" else MEASURED
    view = visitor.reader("heat", cube_id=cube_id).tenant_id
    async with visitor.runtime.database.unit_of_work(view) as work:
        rows = list(await store.written(work, cube_id, up_to=up_to, limit=columns + 1))
    earlier = rows[columns]["number"] if len(rows) > columns else None
    rows = rows[:columns][::-1]
    moved, unmeasured = (None, None) if measure == "gate" else await _moved(visitor, cube_id, rows)
    every = heat.cells(rows, moved)
    found = [cell for cell in every if layer is None or cell.layer == layer]
    picture, left_out = heat.drawn(found, rows, f"How much each slot changed in {len(rows)} versions")
    return show(
        request, "heat.html", cube=cube, picture=picture if found else None, left_out=left_out, rows=rows,
        strongest=heat.strongest(found), layers=heat.layers(every), layer=layer, measure=measure, up_to=up_to,
        earlier=earlier, unmeasured=unmeasured, tab="heat",
    )  # fmt: skip


async def _moved(visitor: Visitor, cube_id: str, rows: list[Any]) -> tuple[dict[int, Any], str | None]:
    """How far each slot moved at each version, and why that could not be measured everywhere."""
    found: dict[int, Any] = {}
    for row in rows:
        if row["number"] == 0:
            continue
        try:
            pair = {"from_version": row["number"] - 1, "to": row["number"]}
            diff = await visitor.call(timemachine.difference, cube_id=cube_id, limit=10_000, **pair)
        except MemosError as error:
            return found, f"From version {row['number']} on it cannot be measured: {error.message}"
        found[row["number"]] = diff.slots or []
    return found, None


@router.get("/cubes/{cube_id}/lineage")
async def lineage(
    request: Request,
    visitor: Visiting,
    cube_id: CubeId,
    depth: Annotated[int, Query(ge=1, le=1000)] = 200,
    direction: Literal["up", "down", "both"] = "both",
) -> Response:
    """The page; its script asks for the graph. The list beneath says the same to whoever sees no picture."""
    cube = await visitor.call(cubes.get, cube_id=cube_id)
    found = await visitor.call(cubes.lineage, cube_id=cube_id, direction=direction, depth=depth)
    others: dict[str, LineageNode] = {}
    for node in found.nodes:
        others.setdefault(node.cube_id, node)
    return show(
        request, "lineage.html", cube=cube, found=found, others=list(others.values())[:LISTED], depth=depth,
        direction=direction, tab="lineage",
    )  # fmt: skip


@router.get("/cubes/{cube_id}/lineage.json")
async def lineage_graph(
    visitor: Visiting,
    cube_id: CubeId,
    depth: Annotated[int, Query(ge=1, le=1000)] = 200,
    direction: Literal["up", "down", "both"] = "both",
    fold: bool = True,
    also: Also = None,
    opened: Opened = None,
) -> Response:
    """With `also`: the lineages of other cubes beside it, one graph of all."""
    nodes: dict[str, LineageNode] = {}
    edges: dict[tuple[str, str, str], LineageEdge] = {}
    truncated = False
    for one in dict.fromkeys([cube_id, *(also or ())]):
        found: Lineage = await visitor.call(cubes.lineage, cube_id=one, direction=direction, depth=depth)
        nodes |= {node.id: node for node in found.nodes}
        edges |= {(edge.child, edge.parent, edge.relation): edge for edge in found.edges}
        truncated |= found.truncated
    made = graph.laid_out(list(nodes.values()), list(edges.values()), folded=fold, opened=opened or ())
    return JSONResponse(made | {"truncated": truncated, "cube": cube_id})
