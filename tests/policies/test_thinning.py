"""States kept as recipes: what thinning drops comes back byte for byte to whoever needs it, and what could not come
back is not dropped.
"""

import asyncio
from contextvars import Context
from typing import Any, cast

import httpx2
import pytest

from memos.cubes.recipes import store as recipe_store
from memos.cubes.recipes.making import CannotRemake
from memos.cubes.versions import blob_key
from memos.generation.in_process import InProcessGenerator
from memos.invariants.rows import RecipesHold
from memos.kernel.version import broken_links
from memos.kit.blobs import Blobs
from memos.policies.run import PolicyTask
from tests.api.talk import chain, eventually, look, post, say
from tests.policies.test_runs import asked, carried_out, decisions, files, policy
from tests.support.lab import Lab
from tests.support.live import Live

RULE = {"kind": "thin", "all_s": 1e-6, "hourly_s": 1e-6}
pytestmark = pytest.mark.anyio


async def thinned(place: Lab) -> Any:
    policy_id = await policy(place, RULE, action="thin")
    return await carried_out(place, policy_id, await asked(place, policy_id))


def payloads(place: Lab) -> dict[int, bool]:
    """Whether the payload of each version is there, by number."""
    rows = place.look("SELECT number, blob_id FROM memcube_versions WHERE blob_id IS NOT NULL ORDER BY number")
    return {row["number"]: place.blobs.size_bytes(blob_key(row["blob_id"])) is not None for row in rows}


async def test_what_is_dropped_comes_back_byte_for_byte(place: Lab) -> None:
    await place.told(6)
    before = place.contents()
    run = await thinned(place)
    assert (run.decided, run.done, run.skipped) == (5, 5, 0)
    assert payloads(place) == {1: False, 2: False, 3: False, 4: False, 5: False, 6: True}
    assert len(files(place)) == 1
    place.forget()
    fourth = next(id for id, row in before.items() if row["number"] == 4)
    await place.recipes.remake(place.tenant, [fourth])
    assert payloads(place) == {1: True, 2: True, 3: True, 4: True, 5: False, 6: True}
    await place.recipes.remake(place.tenant, [id for id, row in before.items() if row["blob_id"]])
    assert place.contents() == before
    again = await thinned(place)
    assert again.decided == 0, "somebody needed them a moment ago"


async def test_a_state_whose_turn_was_changed_is_refused_and_never_served(place: Lab) -> None:
    """Planted: words that are no longer those that made the state."""
    await place.told(3)
    second = next(id for id, row in place.contents().items() if row["number"] == 2)
    await thinned(place)
    place.plant("UPDATE turns SET input = 'another' WHERE seq = 2 AND tenant_id = %s", place.tenant)
    place.forget()
    with pytest.raises(CannotRemake):
        await place.recipes.remake(place.tenant, [second])
    assert payloads(place) == {1: True, 2: False, 3: True}
    assert place.look("SELECT count(*) n FROM blobs WHERE thinned_at IS NOT NULL") == [{"n": 1}]


async def test_a_recipe_that_lost_its_turn_is_named(place: Lab) -> None:
    await place.told(3)
    second = next(id for id, row in place.contents().items() if row["number"] == 2)
    await thinned(place)
    work = place.database.single(place.tenant)
    assert await RecipesHold(cast(Any, None)).check(work) == []
    place.plant("DELETE FROM lineage_edges WHERE child_id = %s", second)
    assert [finding.subject for finding in await RecipesHold(cast(Any, None)).check(work)] == [second]


async def test_a_reader_who_comes_in_between_keeps_it(place: Lab, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the word that it goes and its going, somebody makes it again."""
    await place.told(2)
    first = next(id for id, row in place.contents().items() if row["number"] == 1)
    goes = recipe_store.thinned

    async def after_a_reader(work: Any, version_id: str) -> str | None:
        # By somebody else, who holds no transaction.
        await asyncio.create_task(place.recipes.remake(place.tenant, [first]), context=Context())
        return await goes(work, version_id)

    monkeypatch.setattr(recipe_store, "thinned", after_a_reader)
    run = await thinned(place)
    (decision,) = await decisions(place, run)
    assert (decision.outcome, decision.outcome_reason) == ("skipped", "kept: its payload is needed")
    assert payloads(place) == {1: True, 2: True}


class Killed(BaseException):
    pass


@pytest.mark.parametrize("where", ["thinned", "delete", "after"])
async def test_killed_in_between_it_goes_on(place: Lab, monkeypatch: pytest.MonkeyPatch, where: str) -> None:
    await place.told(3)
    before = place.contents()
    policy_id = await policy(place, RULE, action="thin")
    run_id = await asked(place, policy_id)
    delete = Blobs.delete
    spared = {blob_key(row["blob_id"]) for row in before.values() if row["blob_id"]}

    def killing(self: Blobs, key: str) -> None:
        if where == "delete" and key in spared:
            raise Killed
        delete(self, key)
        if where == "after" and key in spared:
            raise Killed

    async def killed(*_: Any) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(Blobs, "delete", killing)
        if where == "thinned":
            patch.setattr(recipe_store, "thinned", killed)
        with pytest.raises(Killed):
            await PolicyTask(place.database, place.generator, place.blobs, place.recipes)(place.tenant, run_id)
    await place.recipes.remake(place.tenant, list(before))  # whatever the moment, what is needed is there
    assert place.contents() == before
    place.plant("UPDATE blobs SET kept_until = NULL WHERE tenant_id = %s", place.tenant)
    run = await carried_out(place, policy_id, run_id)
    assert (run.status, run.done) == ("done", 2)
    assert payloads(place) == {1: False, 2: False, 3: True}


async def test_one_who_asks_while_it_is_dropped_again_and_again_is_told(
    place: Lab, monkeypatch: pytest.MonkeyPatch
) -> None:
    await place.told(2)
    first = next(id for id, row in place.contents().items() if row["number"] == 1)
    await thinned(place)
    advance = InProcessGenerator.advance

    async def lost(self: Any, *asked: Any) -> Any:
        made = await advance(self, *asked)
        place.blobs.delete(asked[-1])
        return made

    monkeypatch.setattr(InProcessGenerator, "advance", lost)
    with pytest.raises(CannotRemake, match="as often as it is made"):
        await place.recipes.remake(place.tenant, [first])


@pytest.fixture(scope="module")
def client(live: Live) -> Any:
    """An admin of a tenant of its own: rules reach everything of a tenant."""
    with live.client() as operator:
        key = post(operator, "/v1/tenants", {"name": "of thinning"}).json()["admin_key"]["key"]
    with live.client(key) as made:
        yield made


def test_over_rest_nobody_notices(live: Live, client: httpx2.Client) -> None:
    """Read, diffed, forked from, gone back to, explained and exported: as if nothing had been dropped."""
    conversation = post(client, "/v1/conversations", {"user_id": "thin"}).json()["id"]
    turns = [say(client, conversation, f"fact {number}") for number in range(6)]
    live.settled(client, conversation)
    cube = client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"]
    whole = [client.get(f"/v1/cubes/{cube}/versions/{n}/payload").content for n in range(7)]
    diff = client.get(f"/v1/cubes/{cube}/diff?from=2&to=3").json()
    explained = client.get(f"/v1/turns/{turns[4]['id']}/explanation").json()
    archive = post(client, "/v1/cubes/export", {"conversation_id": conversation}).headers["X-Memos-Archive"]

    def drop() -> None:
        look(live, "UPDATE blobs SET kept_until = NULL")
        made = post(client, "/v1/policies", {"name": "thin", "rule": RULE, "action": "thin", "user_id": "thin"}).json()
        run = post(client, f"/v1/policies/{made['id']}/run", {}).json()
        path = f"/v1/policies/{made['id']}/runs/{run['id']}"
        eventually(lambda: client.get(path).json()["status"] == "done", 30)
        gone = (
            "SELECT count(*) n FROM blobs b JOIN memcube_versions v ON v.blob_id = b.id WHERE b.thinned_at IS NOT NULL"
        )
        assert look(live, f"{gone} AND v.cube_id = %s", cube)[0]["n"] >= 4

    drop()
    assert client.get(f"/v1/cubes/{cube}/versions/3/payload").content == whole[3]
    drop()
    assert client.get(f"/v1/cubes/{cube}/diff?from=2&to=3").json() == diff
    drop()
    assert post(client, "/v1/cubes/export", {"conversation_id": conversation}).headers["X-Memos-Archive"] == archive
    drop()
    assert client.get(f"/v1/turns/{turns[4]['id']}/explanation").json() == explained
    drop()
    fork = post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": 2}).json()
    assert "fact 2" not in say(client, fork["id"], "and now?")["output"]
    live.settled(client, fork["id"])
    drop()
    post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 3})
    say(client, conversation, "onward")
    live.settled(client, conversation)
    assert broken_links(chain(client, cube)) == []
    assert [client.get(f"/v1/cubes/{cube}/versions/{n}/payload").content for n in range(7)] == whole
