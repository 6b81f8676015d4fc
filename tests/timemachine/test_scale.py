"""The benchmark of many cubes, on few: it fills what reads as it should, and every call of it is measured."""

from collections import defaultdict

import httpx2

from benchmarks import cubes_at_scale
from benchmarks.filler import fill
from memos.cubes import store
from memos.kernel.version import broken_links
from tests.api.talk import chain, look
from tests.support.live import serve
from tests.support.postgres import Cluster
from tests.timemachine.desk import opened


def test_every_call_is_measured_and_explained(postgres_cluster: Cluster) -> None:
    found = cubes_at_scale.run(postgres_cluster, cubes=40, versions=300, users=5, calls=1, seed=3)
    assert found["now"].keys() > found["before"].keys() > set()
    for measured in found["now"].values():
        assert measured["plans"]
        assert measured["function_ms"]["p95"] > 0
        assert measured["rest_ms"]["p95"] > 0


def test_lineage_is_what_a_walk_over_the_edges_finds(postgres_cluster: Cluster) -> None:
    with serve(postgres_cluster.database()) as live, live.client() as client, opened(live) as desk:
        filled = fill(live, 60, 300, 5, 7)
        assert broken_links(chain(client, filled.longest[-1][0])) == []
        edges = look(live, "SELECT child_id, parent_id FROM lineage_edges")
        versions = look(live, "SELECT v.id, v.cube_id, c.head_version_id = v.id AS head FROM memcube_versions v "
                              "JOIN memcubes c ON c.id = v.cube_id")  # fmt: skip
        for up, ends in ((True, ("child_id", "parent_id")), (False, ("parent_id", "child_id"))):
            onward = defaultdict(list)
            for edge in edges:
                onward[edge[ends[0]]].append(edge[ends[1]])
            for cube_id, _, _ in filled.cubes[::5]:
                begun = [row["id"] for row in versions if row["cube_id"] == cube_id and (row["head"] or not up)]
                for depth in (1, 3, 10):
                    reached = desk.do(
                        lambda work, cube_id=cube_id, up=up, depth=depth: store.reached(  # type: ignore[misc]
                            work, cube_id=cube_id, up=up, depth=depth, limit=10_000
                        )
                    )
                    assert reached == _walked(begun, onward, depth)
        _shown(client, filled.cubes[-1][0])


def _walked(begun: list[str], onward: dict[str, list[str]], depth: int) -> dict[str, int]:
    found = dict.fromkeys(begun, 0)
    edge = begun
    for steps in range(1, depth + 1):
        edge = [other for one in edge for other in onward[one] if other not in found]
        found.update(dict.fromkeys(edge, steps))
    return found


def _shown(client: httpx2.Client, cube_id: str) -> None:
    graph = client.get(f"/v1/cubes/{cube_id}/lineage", params={"depth": 10}).json()
    ids = {node["id"] for node in graph["nodes"]}
    assert all({edge["child"], edge["parent"]} <= ids for edge in graph["edges"])
