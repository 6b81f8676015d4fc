"""Where the nodes of a lineage graph stand. Computed here, so that a browser has only to paint: at 2,000 nodes a layout
of forces takes it many seconds, and says less.

A cube has a lane, in which its versions stand from left to right; no edge leads to the left. Lanes are shared by cubes
that do not overlap. A run of versions in which nothing else joins or leaves is folded into one node, which opens.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

from memos.cubes.schemas import LineageEdge, LineageNode

ACROSS, DOWN = 92, 64
LEAST_RUN = 5  # shorter ones are shown as they are
PLAIN = ("revises", "advances")


@dataclass(frozen=True, slots=True)
class Run:
    """Versions of one cube that follow each other, oldest first, shown as one node by the name of the first."""

    nodes: tuple[LineageNode, ...]

    @property
    def id(self) -> str:
        return self.nodes[0].id


def laid_out(
    nodes: Sequence[LineageNode], edges: Sequence[LineageEdge], *, folded: bool, opened: Collection[str] = ()
) -> dict[str, Any]:
    """Nodes with their places and edges, as cytoscape takes them. `opened` names runs that stay open."""
    runs = _runs(nodes, edges) if folded else [Run((node,)) for node in nodes]
    shown = [piece for run in runs for piece in (_single(run) if run.id in opened else [run])]
    at = {node.id: run for run in shown for node in run.nodes}
    links: dict[tuple[str, str], str] = {}
    for edge in edges:
        parent, child = at.get(edge.parent), at.get(edge.child)
        if parent is not None and child is not None and parent.id != child.id:
            links.setdefault((parent.id, child.id), edge.relation)
    rank = _ranks([run.id for run in shown], list(links))
    lane = _lanes(shown, rank)
    return {
        "nodes": [_node(run, rank[run.id] * ACROSS, lane[run.nodes[0].cube_id] * DOWN) for run in shown],
        "edges": [
            {"data": {"id": f"{parent}>{child}", "source": parent, "target": child, "relation": relation}}
            for (parent, child), relation in links.items()
        ],
    }


def _single(run: Run) -> list[Run]:
    return [Run((node,)) for node in run.nodes]


def _node(run: Run, x: int, y: int) -> dict[str, Any]:
    first, last = run.nodes[0], run.nodes[-1]
    label = f"v{first.number}" if first is last else f"v{first.number}-{last.number}"
    data = {
        "id": run.id, "cube": first.cube_id, "kind": first.kind, "number": last.number, "label": label,
        "operation": first.operation, "run": len(run.nodes),
    }  # fmt: skip
    return {"data": data, "position": {"x": x, "y": y}}


def _runs(nodes: Sequence[LineageNode], edges: Sequence[LineageEdge]) -> list[Run]:
    by_id = {node.id: node for node in nodes}
    parents: dict[str, list[LineageEdge]] = defaultdict(list)
    children: dict[str, list[LineageEdge]] = defaultdict(list)
    for edge in edges:
        parents[edge.child].append(edge)
        children[edge.parent].append(edge)

    def plain(id: str) -> bool:
        """A node that does nothing but follow one version of its cube and be followed by one."""
        around = (parents[id], children[id])
        return all(
            len(side) == 1 and side[0].relation in PLAIN
            and by_id[side[0].parent].cube_id == by_id[side[0].child].cube_id
            for side in around
        )  # fmt: skip

    found: list[Run] = []
    seen: set[str] = set()
    for node in sorted(nodes, key=lambda one: (one.cube_id, one.number)):
        if node.id in seen:
            continue
        chain = [node]
        if plain(node.id):
            while plain(following := children[chain[-1].id][0].child) and following not in seen:
                chain.append(by_id[following])
        seen.update(one.id for one in chain)
        found += [Run(tuple(chain))] if len(chain) >= LEAST_RUN else [Run((one,)) for one in chain]
    return found


def _ranks(ids: Sequence[str], links: Sequence[tuple[str, str]]) -> dict[str, int]:
    """The longest way to each node; whatever would be a circle stays where it began."""
    waiting = dict.fromkeys(ids, 0)
    onward: dict[str, list[str]] = defaultdict(list)
    for parent, child in links:
        waiting[child] += 1
        onward[parent].append(child)
    rank = dict.fromkeys(ids, 0)
    ready = deque(id for id in ids if waiting[id] == 0)
    while ready:
        parent = ready.popleft()
        for child in onward[parent]:
            rank[child] = max(rank[child], rank[parent] + 1)
            waiting[child] -= 1
            if waiting[child] == 0:
                ready.append(child)
    return rank


def _lanes(runs: Sequence[Run], rank: dict[str, int]) -> dict[str, int]:
    """A lane for each cube, the first that is free where it begins."""
    span: dict[str, tuple[int, int]] = {}
    for run in runs:
        cube, place = run.nodes[0].cube_id, rank[run.id]
        low, high = span.get(cube, (place, place))
        span[cube] = (min(low, place), max(high, place))
    ends: list[int] = []
    lane: dict[str, int] = {}
    for cube, (low, high) in sorted(span.items(), key=lambda item: (item[1], item[0])):
        free = next((number for number, end in enumerate(ends) if end < low - 1), len(ends))
        if free == len(ends):
            ends.append(high)
        ends[free] = high
        lane[cube] = free
    return lane
