"""Going back: a version is appended, what was left behind stays listed, and the memory holds exactly what was kept."""

from concurrent.futures import ThreadPoolExecutor

import httpx2

from memos.kernel.version import broken_links
from tests.api.talk import abandoned, ask, chain, held, look, meanwhile, of, post, problem, say, turns, under_way
from tests.support.live import Live


def _tell(live: Live, client: httpx2.Client, conversation: str, *texts: str) -> None:
    for text in texts:
        say(client, conversation, text)
    live.settled(client, conversation)


def test_the_memory_is_that_of_the_kept_turns(live: Live, client: httpx2.Client, conversation: str) -> None:
    _tell(live, client, conversation, "a", "b", "c", "d")
    answer = post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 2}).json()
    view = answer["conversation"]
    assert answer["superseded_turns"] == 2
    assert (view["epoch"], view["state_version"], view["turn_count"], view["pending_turns"]) == (1, 5, 4, 0)
    assert view == client.get(f"/v1/conversations/{conversation}").json()
    after = say(client, conversation, "e")
    assert (after["seq"], held(after["output"])) == (5, of("a", "b"))
    live.settled(client, conversation)
    assert [turn["status"] for turn in turns(client, conversation)] == [
        "applied", "applied", "superseded", "superseded", "applied",
    ]  # fmt: skip
    assert held(say(client, conversation, "f")["output"]) == of("a", "b", "e")


def test_it_appends_and_breaks_no_chain(live: Live, client: httpx2.Client, conversation: str) -> None:
    _tell(live, client, conversation, "a", "b", "c")
    cube = client.get(f"/v1/conversations/{conversation}").json()["state_cube_id"]
    before = chain(client, cube)
    post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 1})
    after = chain(client, cube)
    assert after[: len(before)] == before
    assert [link.facts.operation for link in after] == ["create", "advance", "advance", "advance", "rollback"]
    assert broken_links(after) == []
    one, restored = (client.get(f"/v1/cubes/{cube}/versions/{number}").json() for number in (1, 4))
    assert restored["payload_sha256"] == one["payload_sha256"]
    assert restored["commitment"] != one["commitment"]  # each version has its own nonce
    assert (restored["epoch"], restored["metadata"]) == (1, {"to_turn": 1})


def test_back_and_back_again(live: Live, client: httpx2.Client, conversation: str) -> None:
    _tell(live, client, conversation, "a", "b", "c")
    here = f"/v1/conversations/{conversation}/rollback"
    post(client, here, {"to_turn": 2})
    _tell(live, client, conversation, "d")
    assert post(client, here, {"to_turn": 2}).json()["superseded_turns"] == 1
    assert post(client, here, {"to_turn": 2}).json()["superseded_turns"] == 0
    assert post(client, here, {"to_turn": 1}).json()["superseded_turns"] == 1
    # Going back does not bring back what an earlier rollback left behind.
    for left in (2, 3, 4):
        problem(client.post(here, json={"to_turn": left}), 409, "no_such_turn")
    assert held(say(client, conversation, "e")["output"]) == of("a")
    live.settled(client, conversation)
    view = post(client, here, {"to_turn": 0}).json()["conversation"]
    assert view["epoch"] == 5
    assert held(say(client, conversation, "f")["output"]) == []
    assert broken_links(chain(client, view["state_cube_id"])) == []


def test_turns_under_way_are_left_behind_and_their_clients_told(
    live: Live, client: httpx2.Client, conversation: str
) -> None:
    _tell(live, client, conversation, "a", "b")
    slow = "/slow 200 one two three four five six"
    with (
        meanwhile(lambda: ask(client, conversation, slow, key=f"k-{conversation}")) as third,
        meanwhile(lambda: _after(client, conversation, 3, "fourth")) as fourth,
    ):
        under_way(client, conversation, 4)
        answered = say(client, conversation, "fifth", consistency="eventual")  # answered, and waiting to be applied
        answer = post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 1}).json()
        assert answer["superseded_turns"] == 4
    for left in (third, fourth):
        problem(left.result(), 409, "turn_superseded")
    statuses = [turn["status"] for turn in turns(client, conversation)]
    assert statuses == ["applied"] + ["superseded"] * 4
    assert client.get(f"/v1/turns/{answered['id']}").json()["status"] == "superseded"
    assert held(say(client, conversation, slow, key=f"k-{conversation}")["output"]) == of("a")  # its key was freed
    live.settled(client, conversation)
    open_jobs = "SELECT 1 FROM outbox WHERE subject = %s AND status <> 'done'"
    assert look(live, open_jobs, conversation) == []


def test_a_turn_whose_process_is_gone_is_left_behind_with_its_key(
    live: Live, client: httpx2.Client, conversation: str
) -> None:
    _tell(live, client, conversation, "a")
    turn = abandoned(live, conversation, key=f"k-{conversation}", lease_s=60)
    assert post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 1}).json()["superseded_turns"] == 1
    assert client.get(f"/v1/turns/{turn}").json()["status"] == "superseded"
    assert held(say(client, conversation, "b", key=f"k-{conversation}")["output"]) == of("a")


def test_a_turn_that_was_left_behind_is_not_answered_to_its_end(client: httpx2.Client, conversation: str) -> None:
    """24 seconds of answering, of which nobody will take a word."""
    with meanwhile(lambda: ask(client, conversation, "/slow 3000 one two three four five")) as slow:
        under_way(client, conversation, 1)
        post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 0})
        problem(slow.result(timeout=15), 409, "turn_superseded")


def _after(client: httpx2.Client, conversation: str, seq: int, text: str) -> httpx2.Response:
    under_way(client, conversation, seq)
    return ask(client, conversation, text)


def test_it_goes_only_to_turns_that_the_memory_holds(live: Live, client: httpx2.Client, conversation: str) -> None:
    here = f"/v1/conversations/{conversation}/rollback"
    problem(client.post(here, json={"to_turn": 1}), 409, "no_such_turn")
    _tell(live, client, conversation, "a")
    with meanwhile(lambda: ask(client, conversation, "/slow 150 one two three four")) as slow:
        stopped = under_way(client, conversation, 2)
        say(client, conversation, "c", consistency="eventual")
        refused = client.post(here, json={"to_turn": 3})
        problem(refused, 409, "turn_not_applied")
        assert int(refused.headers["retry-after"]) >= 1
        post(client, f"/v1/turns/{stopped['id']}/cancel")
    assert slow.result().json()["status"] == "cancelled"
    live.settled(client, conversation)
    for unknown in (2, 4, 2**31 - 1):  # a cancelled turn left no state; the others never were
        problem(client.post(here, json={"to_turn": unknown}), 409, "no_such_turn")
    assert client.get(f"/v1/conversations/{conversation}").json()["epoch"] == 0
    assert held(say(client, conversation, "d")["output"]) == of("a", "c")


def test_rollbacks_and_turns_at_once_keep_one_line(live: Live, client: httpx2.Client, conversation: str) -> None:
    _tell(live, client, conversation, "a", "b")
    here = f"/v1/conversations/{conversation}"

    def act(number: int) -> httpx2.Response:
        if number % 3 == 0:
            return client.post(f"{here}/rollback", json={"to_turn": 1})
        return ask(client, conversation, f"turn {number}", consistency="eventual")

    with ThreadPoolExecutor(6) as pool:
        answers = list(pool.map(act, range(24)))
    assert {answer.status_code for answer in answers} <= {200, 201, 409}
    view = live.settled(client, conversation)
    assert view["epoch"] == sum(answer.status_code == 200 for answer in answers) >= 1
    assert broken_links(chain(client, view["state_cube_id"])) == []
    kept = [turn["input"] for turn in turns(client, conversation) if turn["status"] == "applied"]
    assert kept[0] == "a"
    assert held(say(client, conversation, "last")["output"]) == of(*kept)
