"""The lineage graph: where the server puts the nodes, and that a browser can use it with 2,000 of them."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from playwright.sync_api import expect

from memos.console import graph
from memos.cubes.schemas import LineageEdge, LineageNode
from tests.api.talk import look, plant, post
from tests.browser.looking import Watch
from tests.browser.scene import Scene

MANY = 2000


def _node(cube: int, number: int) -> LineageNode:
    return LineageNode(
        id=f"ver_{cube:016x}{number:016x}", cube_id=f"cube_{cube:032x}", number=number, kind="plaintext",
        operation="revise", conversation_id=None, turn_id=None, turn_seq=None, epoch=None,
        created_at=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip


def _edge(child: LineageNode, parent: LineageNode, relation: str = "revises") -> LineageEdge:
    return LineageEdge(child=child.id, parent=parent.id, relation=relation)


def _lines(cubes: int, versions: int) -> tuple[list[LineageNode], list[LineageEdge]]:
    """Cubes of many versions; each is a fork of the middle of the one before."""
    nodes = [[_node(cube, number) for number in range(versions)] for cube in range(cubes)]
    edges = [_edge(later, sooner) for line in nodes for sooner, later in pairwise(line)]
    edges += [_edge(after[0], before[versions // 2], "forks") for before, after in pairwise(nodes)]
    return [node for line in nodes for node in line], edges


def _checked(made: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """The places: no two nodes share one, and no edge leads to the left."""
    at = {one["data"]["id"]: (one["position"]["x"], one["position"]["y"]) for one in made["nodes"]}
    assert len(set(at.values())) == len(at)
    for edge in made["edges"]:
        assert at[edge["data"]["source"]][0] < at[edge["data"]["target"]][0]
    return at


def test_every_node_has_a_place_of_its_own_and_time_goes_to_the_right() -> None:
    nodes, edges = _lines(20, 100)
    assert len(_checked(graph.laid_out(nodes, edges, folded=False))) == MANY


def test_runs_are_folded_and_open() -> None:
    nodes, edges = _lines(20, 100)
    made = graph.laid_out(nodes, edges, folded=True)
    _checked(made)
    assert len(made["nodes"]) <= 20 * 5
    assert sum(one["data"]["run"] for one in made["nodes"]) == MANY
    run = next(one["data"] for one in made["nodes"] if one["data"]["run"] > 1)
    opened = graph.laid_out(nodes, edges, folded=True, opened=[run["id"]])
    _checked(opened)
    assert len(opened["nodes"]) == len(made["nodes"]) + run["run"] - 1


def test_a_merge_of_many_and_a_circle_are_laid_out() -> None:
    sources = [_node(cube, 0) for cube in range(1, 101)]
    merged = _node(0, 0)
    at = _checked(graph.laid_out([*sources, merged], [_edge(merged, one, "merges") for one in sources], folded=True))
    assert len(at) == 101
    pair = [_node(0, 0), _node(1, 0)]
    assert len(graph.laid_out(pair, [_edge(pair[0], pair[1]), _edge(pair[1], pair[0])], folded=True)["nodes"]) == 2


def _long_cube(scene: Scene) -> str:
    """A cube of 2,000 versions, put there from outside: the graph looks at edges and numbers alone."""
    cube = str(post(scene.client, "/v1/cubes", {"text": "long", "user_id": "long"}).json()["id"])
    own = "attrelid = 'memcube_versions'::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''"
    columns = [row["attname"] for row in look(scene.live, f"SELECT attname FROM pg_attribute WHERE {own}")]
    patch = (
        "jsonb_build_object('id', 'ver_' || lpad(to_hex(n), 32, '0'), 'number', n, 'operation', 'revise', "
        "'parent_id', 'ver_' || lpad(to_hex(n - 1), 32, '0'), 'parent_hash', v.hash, "
        "'hash', md5(n::text) || md5(n::text))"
    )
    plant(
        scene.live,
        f"INSERT INTO memcube_versions ({', '.join(columns)}) SELECT {', '.join(f'(p).{name}' for name in columns)} "
        f"FROM (SELECT jsonb_populate_record(v, {patch}) AS p FROM memcube_versions v, generate_series(1, %s) n "
        "WHERE v.cube_id = %s) made",
        MANY - 1, cube,
    )  # fmt: skip
    plant(
        scene.live,
        "INSERT INTO lineage_edges (tenant_id, child_id, parent_id, relation) "
        "SELECT c.tenant_id, c.id, p.id, 'revises' FROM memcube_versions c JOIN memcube_versions p "
        "ON p.cube_id = c.cube_id AND p.number = c.number - 1 WHERE c.cube_id = %s",
        cube,
    )
    plant(
        scene.live,
        "UPDATE memcubes m SET head_number = v.number, head_version_id = v.id FROM memcube_versions v "
        "WHERE m.id = %s AND v.cube_id = m.id AND v.number = %s",
        cube, MANY - 1,
    )  # fmt: skip
    return cube


def test_two_thousand_nodes_are_usable(watch: Watch, scene: Scene) -> None:
    page = watch.page
    page.set_viewport_size({"width": 1280, "height": 900})
    watch.go(f"/console/cubes/{_long_cube(scene)}/lineage?depth=1000&direction=both")
    page.wait_for_selector("#graph[data-ready]")
    folded = int(page.get_attribute("#graph", "data-ready") or 0)
    assert folded <= 5
    page.click("[data-graph=fold]")
    expect(page.locator("#graph")).to_have_attribute("data-ready", str(MANY), timeout=30_000)
    page.focus("#graph")
    for key in ("ArrowRight", "ArrowLeft", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#graph-detail h2")
    page.click("[data-graph=fit]")
    page.click("[data-graph=home]")
    page.mouse.move(500, 500)
    page.mouse.wheel(0, -300)
    assert "Version" in page.inner_text("#graph-detail")


def test_a_run_opens_where_it_is_clicked(watch: Watch, scene: Scene) -> None:
    page = watch.page
    cube = post(scene.client, "/v1/cubes", {"text": "0", "user_id": "runs"}).json()["id"]
    for number in range(9):
        body, known = {"text": str(number + 1)}, {"If-Match": str(number)}
        assert scene.client.post(f"/v1/cubes/{cube}/versions", json=body, headers=known).status_code == 201
    watch.go(f"/console/cubes/{cube}/lineage")
    page.wait_for_selector("#graph[data-ready='3']")
    page.focus("#graph")
    for key in ("ArrowRight", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.wait_for_selector("#graph[data-ready='10']")
