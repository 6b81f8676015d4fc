"""Two tenants and every page and form of the console: neither sees or changes what is the other's. A route that is new
and is not driven here fails the test."""

from collections.abc import Iterator
from dataclasses import dataclass

import httpx2
import pytest

from tests.api.talk import look, post
from tests.isolation.tenants import Tenant, strangers
from tests.isolation.test_tenants import _everything, _tenant
from tests.support.console import FORMS, entered, routes
from tests.support.live import Live

# A run is of three nouns.
RUNS = {"/console/consolidations/{run_id}": "consolidation_id", "/console/deltas/{run_id}": "delta_id"}
WITHOUT_SESSION = ("/console/login", "/console/logout")


@dataclass(frozen=True)
class Side:
    tenant: Tenant
    key: str


@pytest.fixture(scope="module")
def sides(live: Live) -> Iterator[tuple[Side, Side]]:
    made = []
    with live.client() as operator:
        for words in ("magpie", "jackdaw"):
            tenant = _tenant(live, operator, words)
            made.append(Side(tenant, str(tenant.client.headers["Authorization"]).removeprefix("Bearer ")))
    yield made[0], made[1]
    for side in made:
        side.tenant.client.close()


def _address(path: str, ids: dict[str, str]) -> str:
    return path.format(**(ids | {"number": "1", "run_id": ids[RUNS.get(path, "run_id")]}))


def _send(client: httpx2.Client, method: str, path: str, address: str) -> httpx2.Response:
    return client.post(address, data=FORMS[path]) if method == "POST" else client.get(address)


def test_every_route_is_driven(live: Live) -> None:
    found = routes(live)
    assert len(found) >= 50
    assert {path for method, path in found if method == "POST"} == set(FORMS)
    assert {method for method, _ in found} == {"GET", "POST"}


def test_what_is_the_others_does_not_exist(live: Live, sides: tuple[Side, Side]) -> None:
    mine, other = sides
    driven = 0
    with entered(live, mine.key) as client:
        for method, path in sorted(routes(live)):
            if path in WITHOUT_SESSION:
                continue
            before = _everything(live, other.tenant)
            answer = _send(client, method, path, _address(path, other.tenant.ids))
            if "{" in path:
                assert answer.status_code == 404, (method, path, answer.status_code, answer.text[:2000])
                driven += 1
            else:
                assert answer.status_code in (200, 303), (method, path, answer.text)
            asked = [answer.text.replace(id, "") for id in other.tenant.ids.values() if id in str(answer.url)]
            assert strangers(asked or [answer.text], other.tenant) == [], (method, path)
            assert _everything(live, other.tenant) == before, (method, path)
    assert driven >= 35


def test_the_owner_is_shown_it_all(live: Live, sides: tuple[Side, Side]) -> None:
    """The same pages with the same ids, by whose they are: a test that refuses everything proves nothing."""
    mine, _ = sides
    with entered(live, mine.key) as client:
        for method, path in sorted(routes(live)):
            if method == "GET" and path not in WITHOUT_SESSION:
                if path.endswith("/receipt.json"):
                    continue  # of a dry run there is none
                answer = client.get(_address(path, mine.tenant.ids))
                assert answer.status_code == 200, (path, answer.text[:2000])


def test_the_test_sees_a_dropped_policy(live: Live, sides: tuple[Side, Side]) -> None:
    """By a third tenant: what it is shown stands in its own audit log, which the other tests read of the first."""
    _, other = sides
    with live.client() as operator:
        third = post(operator, "/v1/tenants", {"name": "jay"}).json()["admin_key"]["key"]
    address = f"/console/conversations/{other.tenant.ids['conversation_id']}"
    tables = ("conversations", "memcubes", "memcube_versions", "turns")
    with entered(live, third) as client:
        for table in tables:
            look(live, f"ALTER POLICY tenant ON {table} USING (true)")
        try:
            shown = client.get(address)
            assert shown.status_code == 200
            assert strangers([shown.text], other.tenant) != []
        finally:
            for table in tables:
                look(live, f"ALTER POLICY tenant ON {table} USING (tenant_id = memos_tenant())")
        assert client.get(address).status_code == 404
