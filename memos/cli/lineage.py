"""`memos lineage`: where a memory came from and what came of it, as a tree.

The versions of one cube are listed flat, newest first, because their chain is long and has no branches; a link to
another cube opens a branch below the version that has it.
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from memos.cli.session import Session
from memos.cli.tables import cell

if TYPE_CHECKING:
    from rich.tree import Tree

    from memos.sdk import Lineage, LineageNode, Memos

Way = Literal["up", "down", "both"]
WAYS: dict[str, Way] = {"up": "up", "down": "down", "both": "both"}
Direction = Annotated[str, typer.Option("--direction", help="up: where it came from; down: what came of it; both.")]


def lineage(
    session: Session,
    subject: Annotated[
        str, typer.Argument(metavar="CUBE|CONVERSATION|TURN", help="Id of a cube, a conversation or a turn.")
    ],
    direction: Direction = "both",
    depth: Annotated[int, typer.Option("--depth", min=1, max=1000, help="How many steps to follow.")] = 50,
) -> None:
    """Shows where a memory came from and what came of it."""
    way = _direction(direction)
    with session.waiting("reading the lineage"):
        cube_id, version = _subject(session.client, subject)
        found = session.client.cubes.lineage(cube_id, direction=way, depth=depth)
    if version is not None:
        found = around(found, cube_id, version, subject)
    session.emit(found, lambda: lineage_tree(found, cube_id))


def _direction(text: str) -> Way:
    if text not in WAYS:
        raise typer.BadParameter("must be up, down or both", param_hint="--direction")
    return WAYS[text]


def _subject(client: "Memos", subject: str) -> tuple[str, int | None]:
    """The cube to ask about, and the version to keep to, if only one is meant."""
    from memos.sdk import MemosError

    if subject.startswith("conv_"):
        return client.conversations.get(subject).state_cube_id, None
    if not subject.startswith("turn_"):
        return subject, None
    turn = client.turns.get(subject)
    if turn.memory.written_version is None:
        raise MemosError(
            f"turn {subject} ({turn.status}) is not in the memory",
            code="turn_not_applied",
            hint="An answered turn is applied within moments; see `memos jobs` if it is not.",
        )
    return client.conversations.get(turn.conversation_id).state_cube_id, turn.memory.written_version


def around(found: "Lineage", cube_id: str, number: int, subject: str) -> "Lineage":
    """The part of a lineage from which one version came, or which came of it."""
    from memos.sdk import MemosError

    start = next((node.id for node in found.nodes if (node.cube_id, node.number) == (cube_id, number)), None)
    if start is None:
        raise MemosError(
            f"the version of {subject} lies deeper than was asked for", code="too_deep", hint="Pass a larger --depth."
        )
    up, down = defaultdict(list), defaultdict(list)
    for edge in found.edges:
        up[edge.child].append(edge.parent)
        down[edge.parent].append(edge.child)
    kept = {start}
    for links in (up, down):
        waiting = [start]
        while waiting:
            fresh = [other for other in links[waiting.pop()] if other not in kept]
            kept.update(fresh)
            waiting.extend(fresh)
    return found.model_copy(
        update={
            "nodes": [node for node in found.nodes if node.id in kept],
            "edges": [edge for edge in found.edges if edge.child in kept and edge.parent in kept],
        }
    )


class _Drawing:
    """One tree being drawn. Each cube is drawn once; a second link to it only names it."""

    def __init__(self, found: "Lineage") -> None:
        self._nodes = {node.id: node for node in found.nodes}
        self._cubes: dict[str, list[LineageNode]] = defaultdict(list)
        for node in found.nodes:
            self._cubes[node.cube_id].append(node)
        self._links: dict[str, list[tuple[str, str]]] = defaultdict(list)
        for edge in found.edges:
            self._links[edge.child].append((f"<- {edge.relation}", edge.parent))
            self._links[edge.parent].append((f"-> {edge.relation}", edge.child))
        for links in self._links.values():
            links.sort(key=lambda link: link[0].endswith("recalls"))  # what it is made of before what it quotes
        self._drawn: set[str] = set()

    def cube(self, branch: "Tree", cube_id: str, came_by: frozenset[str] = frozenset()) -> None:
        self._drawn.add(cube_id)
        nodes = sorted(self._cubes[cube_id], key=lambda node: node.number)
        links = {node.id: list(self._outside(node, came_by)) for node in nodes}
        # The oldest link to a cube opens it: a fork below the version it began at, not below a later rollback.
        opened: dict[str, frozenset[str]] = {}
        for node in nodes:
            for _, other in links[node.id]:
                if other.cube_id not in self._drawn:
                    opened.setdefault(other.cube_id, frozenset({node.id, other.id}))
        self._drawn.update(opened)
        for node in reversed(nodes):
            leaf = branch.add(self._label(node))
            for relation, other in links[node.id]:
                link = leaf.add(f"{relation} {other.cube_id} v{other.number}")
                if opened.get(other.cube_id) == frozenset({node.id, other.id}):
                    self.cube(link, other.cube_id, frozenset({node.id, other.id}))

    def _outside(self, node: "LineageNode", came_by: frozenset[str]) -> Iterator[tuple[str, "LineageNode"]]:
        """The links of a version to other cubes, but not the one that led here."""
        for relation, other_id in self._links[node.id]:
            other = self._nodes.get(other_id)
            if other is not None and other.cube_id != node.cube_id and {node.id, other_id} != came_by:
                yield relation, other

    def _label(self, node: "LineageNode") -> str:
        parts = [f"v{node.number}", node.operation, node.id]
        if node.turn_seq is not None:
            parts.insert(2, f"turn {node.turn_seq}")
        for relation, other_id in self._links[node.id]:
            other = self._nodes.get(other_id)
            inside = other is not None and other.cube_id == node.cube_id and relation.startswith("<-")
            if inside and other is not None and other.number != node.number - 1:
                parts.append(f"({relation} v{other.number})")
        return "  ".join([*parts, cell(node.created_at)])


def lineage_tree(found: "Lineage", cube_id: str) -> "Tree":
    from rich.tree import Tree

    own = next((node for node in found.nodes if node.cube_id == cube_id), None)
    title = cube_id if own is None else f"{cube_id}  {own.kind}"
    if own is not None and own.conversation_id:
        title += f" memory of {own.conversation_id}"
    tree = Tree(title)
    _Drawing(found).cube(tree, cube_id)
    if found.truncated:
        tree.add("... and more: pass a larger --depth, or name one version's cube")
    return tree
