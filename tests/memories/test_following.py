"""What was written is found, whichever process it was written to: two services over one database. And a state machine:
whatever is done to memories, a search finds those that live, and only those.
"""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from tests.api.talk import eventually, look, post
from tests.memories.say import found, ids, listed, owner, remember
from tests.support.live import Live, serve
from tests.support.postgres import Addresses, Cluster

Two = tuple[httpx2.Client, httpx2.Client]


@pytest.fixture(scope="module")
def shared(postgres_cluster: Cluster) -> Addresses:
    return postgres_cluster.database()


@pytest.fixture(scope="module")
def one(shared: Addresses) -> Iterator[Live]:
    often = {"invariants": 1.0}
    with serve(shared, schedule_poll_s=0.2, schedule_every_s=often) as service:
        yield service


@pytest.fixture(scope="module")
def two(shared: Addresses, one: Live) -> Iterator[Two]:
    """Clients of two processes that share nothing but the database."""
    with serve(shared) as other, one.client() as first, other.client(one.key) as second:
        yield first, second


def test_each_process_finds_what_the_other_wrote(two: Two) -> None:
    ada, (here, there) = owner(), two
    for number in range(6):
        here, there = there, here
        made = remember(here, ada, f"Fact number{number} about word{number}.")
        assert found(there, ada, f"word{number}", min_version=made["revision"])[0]["id"] == made["memories"][0]["id"]
    (first, *_) = found(here, ada, "word0")
    there.patch(f"/v1/memories/{first['id']}", json={"text": "Fact about pineapples."})
    assert found(here, ada, "pineapples")[0]["id"] == first["id"]
    there.delete(f"/v1/memories/{first['id']}")
    assert first["id"] not in ids(found(here, ada, "pineapples"))


def test_what_anything_else_does_to_a_cube_is_seen(two: Two) -> None:
    """Through /v1/cubes, which knows nothing of memories."""
    ada, (here, there) = owner(), two
    cube = post(here, "/v1/cubes", {"text": "The boat is called Albatross.", "user_id": ada}).json()["id"]
    assert ids(found(there, ada, "albatross")) == [cube]
    here.post(f"/v1/cubes/{cube}/versions", json={"text": "The boat is called Pelican."}, headers={"If-Match": "0"})
    assert found(there, ada, "pelican")[0]["version"] == 1
    here.patch(f"/v1/cubes/{cube}", json={"tags": ["boats"]})
    assert ids(found(there, ada, "pelican", filters={"tags": "boats"})) == [cube]
    post(here, f"/v1/cubes/{cube}/transition", {"to": "expired", "reason": "over"})
    assert found(there, ada, "pelican") == []
    post(here, f"/v1/cubes/{cube}/transition", {"to": "activated", "reason": "again"})
    merged = post(here, "/v1/cubes", {"text": "It is blue.", "user_id": ada}).json()["id"]
    whole = post(here, "/v1/cubes/merge", {"cube_ids": [cube, merged], "text": "A blue boat, Pelican."}).json()["id"]
    assert ids(found(there, ada, "pelican")) == [whole]


def test_a_moment_that_is_over_is_searched_as_it_was(two: Two) -> None:
    ada, (here, there) = owner(), two
    made = remember(here, ada, "Ada lives in Paris.")["memories"][0]["id"]
    then = here.get(f"/v1/memories/{made}").json()["updated_at"]
    here.patch(f"/v1/memories/{made}", json={"text": "Ada lives in Rome."})
    here.delete(f"/v1/memories/{made}")
    assert found(there, ada, "where does ada live") == []
    assert [one["text"] for one in found(there, ada, "where does ada live", as_of=then)] == ["Ada lives in Paris."]


def test_a_large_batch_is_found_at_once_and_embedded_after(two: Two) -> None:
    ada, (here, there) = owner(), two
    items = [{"text": f"Entry {number} speaks of subject{number}.", "user_id": ada} for number in range(1_200)]
    made = post(here, "/v1/memories", {"items": [*items, items[0]]}).json()
    assert len(made["memories"]) == 1_201
    assert made["memories"][-1] == {"id": made["memories"][0]["id"], "version": 0, "duplicate": True}
    assert found(there, ada, "subject777")[0]["id"] == made["memories"][777]["id"]
    path = f"/v1/memories/batches/{made['batch_id']}"
    assert there.get(path).json()["total"] == 1_200
    done = eventually(lambda: (view := there.get(path).json())["status"] == "done" and view, 60)
    assert (done["done"], done["duplicates"]) == (1_200, 1)


def test_one_user_never_finds_anothers(one: Live, two: Two) -> None:
    ada, bob, here = owner(), owner(), two[0]
    mine = remember(here, ada, "Ada's secret word is xylophone.")["memories"][0]["id"]
    hidden = remember(here, ada, "Her other word is zeppelin.", sensitivity="secret")["memories"][0]["id"]
    token = post(here, "/v1/tokens", {"user_id": bob}).json()["token"]
    own = post(here, "/v1/tokens", {"user_id": ada}).json()["token"]
    app = post(here, "/v1/keys", {"name": "app", "scopes": ["app"]}).json()["key"]
    with one.client(token) as stranger, one.client(own) as herself, one.client(app) as application:
        assert ids(found(stranger, bob, "xylophone")) == []
        body = {"query": "xylophone", "user_id": ada}
        assert stranger.post("/v1/memories/search", json=body).status_code == 403
        assert set(ids(found(herself, ada, "xylophone zeppelin"))) == {mine, hidden}
        assert ids(found(application, ada, "xylophone zeppelin")) == [mine]
        grant = post(here, f"/v1/cubes/{mine}/grants", {"grantee": {"user": bob}, "permission": "read"}).json()
        assert ids(found(stranger, bob, "xylophone")) == [mine]
        here.delete(f"/v1/cubes/{mine}/grants/{grant['id']}")
        assert ids(found(stranger, bob, "xylophone")) == []


class Memories(RuleBasedStateMachine):
    """Against a dict: of each memory its word, and whether it is found. Every memory has a word that no other has."""

    two: Two
    known = Bundle("known")

    @initialize()
    def begin(self) -> None:
        self.owner = owner()
        self.words: dict[str, str] = {}  # of those that live
        self.hidden: dict[str, str] = {}  # of those that were put away or replaced
        self.replaced: dict[str, str] = {}  # old by new
        self.count = 0

    def _word(self) -> str:
        self.count += 1
        return f"w{self.owner[5:]}x{self.count}"

    def _client(self, number: int) -> httpx2.Client:
        return self.two[number]

    @rule(target=known, where=st.integers(0, 1))
    def add(self, where: int) -> str:
        word = self._word()
        made = str(remember(self._client(where), self.owner, f"It says {word} here.")["memories"][0]["id"])
        self.words[made] = word
        return made

    @rule(cube=known, where=st.integers(0, 1))
    def say_anew(self, cube: str, where: int) -> None:
        word = self._word()
        answer = self._client(where).patch(f"/v1/memories/{cube}", json={"text": f"Now it says {word}."})
        if cube in self.words:
            assert answer.status_code == 200, answer.text
            self.words[cube] = word
        elif cube in self.replaced:
            self.hidden[cube] = word
        else:
            assert answer.status_code in (404, 409), answer.text

    @rule(cube=known, where=st.integers(0, 1))
    def put_away(self, cube: str, where: int) -> None:
        answer = self._client(where).delete(f"/v1/memories/{cube}")
        assert answer.status_code in (200, 404, 409), answer.text
        if cube in self.words:
            self.hidden[cube] = self.words.pop(cube)
            self._free(cube)
        else:
            self.replaced.pop(cube, None)

    def _free(self, newer: str) -> None:
        """What it replaced is what is known, now that it is gone."""
        for old in [old for old, new in self.replaced.items() if new == newer]:
            del self.replaced[old]
            self.words[old] = self.hidden.pop(old)

    @rule(cube=known, where=st.integers(0, 1), to=st.sampled_from(["activated", "expired", "archived"]))
    def move(self, cube: str, where: int, to: str) -> None:
        if cube in self.replaced:
            return
        body = {"to": to, "reason": "tried"}
        answer = self._client(where).post(f"/v1/cubes/{cube}/transition", json=body)
        if answer.status_code != 200:
            return
        if to == "activated" and cube in self.hidden:
            self.words[cube] = self.hidden.pop(cube)
        elif to != "activated" and cube in self.words:
            self.hidden[cube] = self.words.pop(cube)
            self._free(cube)

    @rule(target=known, cube=known, where=st.integers(0, 1))
    def replace(self, cube: str, where: int) -> str:
        if cube not in self.words:
            return cube
        word = self._word()
        made = remember(self._client(where), self.owner, f"Instead it says {word}.", supersedes=cube)
        new = str(made["memories"][0]["id"])
        self.hidden[cube], self.replaced[cube] = self.words.pop(cube), new
        self._free(cube)
        self.words[new] = word
        return new

    @rule(cube=consumes(known))
    def erase(self, cube: str) -> None:
        erasure = post(self._client(0), "/v1/erasures", {"cube_id": cube})
        path = f"/v1/erasures/{erasure.json()['id']}"
        eventually(lambda: self._client(0).get(path).json()["status"] == "done", 30)
        if cube in self.words:
            del self.words[cube]
            self._free(cube)
        self.hidden.pop(cube, None)
        self.replaced.pop(cube, None)

    @invariant()
    def what_lives_is_found(self) -> None:
        for client in self.two:
            for cube, word in list(self.words.items())[-3:]:
                assert found(client, self.owner, word, top_k=1)[0]["id"] == cube, word
            told = ids(found(client, self.owner, "it says", top_k=50))
            assert set(told) == set(self.words)


def _run(two: Two, examples: int, steps: int) -> None:
    Memories.two = two
    few = settings(max_examples=examples, stateful_step_count=steps, deadline=None)
    run_state_machine_as_test(Memories, settings=few)


def test_whatever_is_done_the_living_are_found(two: Two) -> None:
    _run(two, 2, 8)


@pytest.mark.full
def test_whatever_is_done_for_long_the_living_are_found(two: Two) -> None:
    _run(two, 30, 20)


def test_the_invariants_find_nothing(one: Live, two: Two) -> None:
    """After all of the above, in whatever order: chains, heads, lives, counters, scopes."""
    ada, (here, _) = owner(), two
    messages: list[dict[str, Any]] = [{"role": "user", "content": f"m{number}"} for number in range(5)]
    post(here, "/v1/memories", {"messages": messages, "user_id": ada})
    assert len(listed(here, ada)) == 5
    began = look(one, "SELECT clock_timestamp() AS at")[0]["at"]

    def looked() -> bool:
        runs = look(one, "SELECT name FROM invariant_runs WHERE ran_at > %s AND error IS NULL", began)
        return {"versions_chain", "lives_follow_events"} <= {run["name"] for run in runs} or len(runs) >= 6

    eventually(looked, 30)
    assert look(one, "SELECT name, subject, detail FROM invariant_findings") == []
