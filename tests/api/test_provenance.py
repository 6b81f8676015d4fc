"""Health and provenance: every version says how its memory is and what it wrote; an answer, which slots it read and
from which turn and words each is; and the words of a turn are in no place that an erasure would not reach.
"""

from typing import Any

import httpx2
import pytest
import structlog

from memos.cubes.versions import ERASED_WITH_PAYLOAD, blob_key
from memos.generation.echo import COLLAPSE_LINES, EchoEngine
from memos.generation.port import ModelUnavailable
from tests.api.talk import ask, everything, look, plant, post, problem, say, settled, turns
from tests.support.live import Live, serve

SLOTS = ("layer", "slot", "share")


def explained(client: httpx2.Client, turn: dict[str, Any]) -> dict[str, Any]:
    answer = client.get(f"/v1/turns/{turn['id']}/explanation")
    assert answer.status_code == 200, answer.text
    told: dict[str, Any] = answer.json()
    return told


def records(client: httpx2.Client, cube: str) -> list[dict[str, Any]]:
    """A cube's versions with all that is known of each, oldest first."""
    listed = everything(client, f"/v1/cubes/{cube}/versions")[::-1]
    return [client.get(f"/v1/cubes/{cube}/versions/{version['number']}").json() for version in listed]


def test_every_version_says_how_its_memory_is_and_what_it_wrote(client: httpx2.Client, conversation: str) -> None:
    say(client, conversation, "My dog is called Biscuit.")
    say(client, conversation, "It rained today.")
    start, *made = records(client, settled(client, conversation)["state_cube_id"])
    assert (start["written"], "health" in start["metadata"]) == (None, False)
    assert [version["written"] for version in made] == [
        [{"layer": 0, "slot": 0, "gate": 1.0, "words": ["My", "dog", "is", "called", "Biscuit."]}],
        [{"layer": 0, "slot": 1, "gate": 1.0, "words": ["It", "rained", "today."]}],
    ]
    for version in made:
        health = version["metadata"]["health"]
        assert {"slot_diversity", "gate_mean", "drift", "distance_to_start", "collapsed"} <= health.keys()
    assert made[1]["metadata"]["health"]["drift"] == 0.5


def test_an_explanation_names_the_slots_read_with_their_turns_and_words(
    client: httpx2.Client, conversation: str
) -> None:
    first = say(client, conversation, "My dog is called Biscuit.")
    second = say(client, conversation, "It rained today.")
    turn = say(client, conversation, "And?")
    versions = records(client, settled(client, conversation)["state_cube_id"])
    told = explained(client, turn)
    assert told["slots_unavailable"] is None
    assert [tuple(slot[name] for name in SLOTS) for slot in told["slots"]] == [(0, 1, 0.5), (0, 0, 0.5)]
    assert [slot["written_at"] for slot in told["slots"]] == [
        {
            "turn_id": second["id"], "seq": 2, "version_id": versions[2]["id"], "version": 2, "gate": 1.0,
            "words": ["It", "rained", "today."],
        },
        {
            "turn_id": first["id"], "seq": 1, "version_id": versions[1]["id"], "version": 1, "gate": 1.0,
            "words": ["My", "dog", "is", "called", "Biscuit."],
        },
    ]  # fmt: skip
    assert explained(client, first)["slots"] == []  # it answered from the start state, which lists nothing


def test_a_slot_is_from_the_newest_turn_of_the_line_that_wrote_it(client: httpx2.Client, conversation: str) -> None:
    """A turn that a rollback left behind wrote the same slot, and so did one of a fork, which has a line of its own."""
    for text in ("one", "left behind", "left behind too"):
        say(client, conversation, text)
    settled(client, conversation)
    fork = post(client, f"/v1/conversations/{conversation}/fork", {"at_turn": 1}).json()["id"]
    post(client, f"/v1/conversations/{conversation}/rollback", {"to_turn": 1})
    say(client, conversation, "kept")
    say(client, fork, "of the fork")
    for place, second in ((conversation, "kept"), (fork, "of the fork")):
        told = explained(client, say(client, place, "and?"))
        sources = {slot["slot"]: " ".join(slot["written_at"]["words"]) for slot in told["slots"]}
        assert sources == {0: "one", 1: second}


def test_a_slot_written_twice_is_from_the_second(live: Live, client: httpx2.Client, conversation: str) -> None:
    for text in ("one", "two", "three"):
        say(client, conversation, text)
    turn = say(client, conversation, "and?")
    cube = settled(client, conversation)["state_cube_id"]
    slot = '[{"layer": 0, "slot": %s, "gate": 0.5, "words": ["newer"]}]'
    plant(live, "UPDATE memcube_versions SET written = %s WHERE cube_id = %s AND number = 3", slot % 0, cube)
    # The version that the turn itself became is no part of what it read.
    plant(live, "UPDATE memcube_versions SET written = %s WHERE cube_id = %s AND number = 4", slot % 1, cube)
    found = {slot["slot"]: slot["written_at"] for slot in explained(client, turn)["slots"]}
    assert (found[0]["seq"], found[0]["gate"], found[0]["words"]) == (3, 0.5, ["newer"])
    assert (found[1]["seq"], found[1]["words"]) == (2, ["two"])
    assert found[2] is None


def test_a_turn_without_an_answer_says_so(live: Live, client: httpx2.Client, conversation: str) -> None:
    turn = say(client, conversation, "soon without an answer")
    look(live, "ALTER TABLE turns DISABLE TRIGGER turns_said")
    look(live, "UPDATE turns SET output = '' WHERE id = %s", turn["id"])
    look(live, "ALTER TABLE turns ENABLE TRIGGER turns_said")
    told = explained(client, turn)
    assert (told["slots"], told["slots_unavailable"]["code"]) == (None, "no_answer")


def test_without_the_model_everything_else_is_still_explained(
    live: Live, client: httpx2.Client, conversation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(client, conversation, "one")
    turn = say(client, conversation, "two")
    settled(client, conversation)
    whole = explained(client, turn)

    async def away(*args: Any) -> Any:
        raise ModelUnavailable("the model worker cannot be reached")

    monkeypatch.setattr(live.app.state.runtime.generator, "reads", away)
    told = explained(client, turn)
    assert told.pop("slots") is None
    assert told.pop("slots_unavailable") == {
        "code": "model_unavailable", "detail": "the model worker cannot be reached",
    }  # fmt: skip
    assert whole == whole | told


def test_another_model_cannot_say_what_was_read_and_says_so(live: Live, client: httpx2.Client) -> None:
    begun = live.conversation(client)
    say(client, begun, "one")
    turn = say(client, begun, "two")
    settled(client, begun)
    with (
        serve(live.database, generator="echo-2", blob_url=live.settings.effective_blob_url) as newer,
        newer.client(live.key) as upgraded,
    ):
        told = explained(upgraded, turn)
        assert (told["slots"], told["slots_unavailable"]["code"]) == (None, "model_mismatch")
        assert told["state_turns"] == [1]
        # Once the conversation has moved to it, its own answers are explained: the replay wrote the slots anew.
        moved = explained(upgraded, say(upgraded, begun, "three"))
        assert [slot["written_at"]["words"] for slot in moved["slots"]] == [["two"], ["one"]]


def test_a_state_that_is_gone_is_named_and_the_rest_is_explained(live: Live, client: httpx2.Client) -> None:
    begun = live.conversation(client)
    say(client, begun, "one")
    turn = say(client, begun, "two")
    cube = settled(client, begun)["state_cube_id"]
    (row,) = look(live, "SELECT blob_id FROM memcube_versions WHERE cube_id = %s AND number = 1", cube)
    (live.data_dir / "blobs" / blob_key(row["blob_id"])).unlink()
    same = {"blob_url": live.settings.effective_blob_url}
    with serve(live.database, **same) as fresh, fresh.client(live.key) as reading:  # which has no state in memory
        told = explained(reading, turn)
    assert (told["slots"], told["slots_unavailable"]["code"]) == (None, "state_unreadable")
    assert told["read"][0]["version_id"] in told["slots_unavailable"]["detail"]
    assert told["state_turns"] == [1]


def figures(client: httpx2.Client) -> dict[str, float]:
    lines = client.get("/metrics").text.splitlines()
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith("memos_memory_")}


def test_health_is_counted_and_a_collapsed_memory_raises_the_alarm(client: httpx2.Client, conversation: str) -> None:
    for _ in range(COLLAPSE_LINES - 1):
        say(client, conversation, "the same again")
    settled(client, conversation)
    before = figures(client)
    with structlog.testing.capture_logs() as logged:
        say(client, conversation, "the same again")
        settled(client, conversation)
    after = figures(client)
    for name in ("slot_diversity", "gate_mean", "drift", "distance_to_start"):
        count = f'memos_memory_{name}_count{{model="echo"}}'
        assert after[count] == before[count] + 1
    alarm = 'memos_memory_collapsed_total{model="echo"}'
    assert after[alarm] == before[alarm] + 1
    (warning,) = [entry for entry in logged if entry["event"] == "memory.collapsed"]
    assert (warning["log_level"], warning["conversation_id"]) == ("warning", conversation)
    assert "the same again" not in str(warning)


def test_the_words_of_a_turn_are_only_where_an_erasure_reaches_them(
    live: Live, client: httpx2.Client, conversation: str
) -> None:
    """Said once, a word that occurs nowhere else is looked for in every column of every table. What is found must be
    the turn itself, the stored answer of its key, or a column of a version that goes with its payload (DESIGN 6b)."""
    word = "xyloquartzine"
    turn = say(client, conversation, f"My cat is called {word}.", key="words-1")
    settled(client, conversation)
    explained(client, say(client, conversation, "And?"))
    settled(client, conversation)
    found = set()
    tables = look(
        live,
        "SELECT c.table_name, c.column_name FROM information_schema.columns c JOIN information_schema.tables t "
        "USING (table_schema, table_name) WHERE table_schema = 'public' AND table_type = 'BASE TABLE'",
    )
    for place in tables:
        table, column = place["table_name"], place["column_name"]
        shown = f"convert_from({column}, 'SQL_ASCII')" if (table, column) == ("idempotency_keys", "body") else column
        if look(live, f"SELECT 1 FROM {table} WHERE CAST({shown} AS text) ILIKE %s LIMIT 1", f"%{word}%"):
            found.add((table, column))
    assert ("memcube_versions", "written") in found  # or the search finds nothing
    assert {column for table, column in found if table == "memcube_versions"} <= ERASED_WITH_PAYLOAD
    others = {place for place in found if place[0] != "memcube_versions"}
    assert others == {("turns", "input"), ("turns", "output"), ("idempotency_keys", "body")}
    assert turn["input"] in turns(client, conversation)[0]["input"]


@pytest.mark.parametrize(
    ("option", "field"),
    [
        ({"top_k": 0}, "top_k"),
        ({"top_k": -1}, "top_k"),
        ({"top_k": 1.5}, "top_k"),
        ({"top_k": "5"}, "top_k"),
        ({"top_p": 0}, "top_p"),
        ({"top_p": 1.01}, "top_p"),
        ({"stop": "word"}, "stop"),
        ({"stop": [""]}, "stop"),
        ({"stop": ["x" * 201]}, "stop"),
        ({"stop": ["a", "b", "c", "d", "e"]}, "stop"),
        ({"stop": ["nul \x00"]}, "stop"),
        ({"stop": [7]}, "stop"),
    ],
)
def test_how_to_draw_is_checked(client: httpx2.Client, conversation: str, option: dict[str, Any], field: str) -> None:
    refused = problem(ask(client, conversation, "hello", **option), 422, "invalid")
    assert field in str(refused["errors"]) + refused["detail"]
    assert turns(client, conversation) == []


def test_how_to_draw_reaches_the_model(
    live: Live, client: httpx2.Client, conversation: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[dict[str, Any]] = []
    generate = EchoEngine.generate

    def watched(engine: EchoEngine, *args: Any, **options: Any) -> Any:
        seen.append(options)
        return generate(engine, *args, **options)

    monkeypatch.setattr(EchoEngine, "generate", watched)
    said = say(client, conversation, "a b, x d", temperature=0.5, top_k=7, top_p=0.25, seed=9, stop=["x", "zz"])
    assert (said["output"], said["finish_reason"]) == ("echo 0 [] a b, ", "stop")
    say(client, conversation, "plain")
    wanted = ("temperature", "top_k", "top_p", "seed", "stop")
    assert [tuple(options[name] for name in wanted) for options in seen] == [
        (0.5, 7, 0.25, 9, ("x", "zz")),
        (0.0, 0, 1.0, None, ()),
    ]


def test_how_to_draw_is_part_of_what_a_key_is_for(client: httpx2.Client, conversation: str) -> None:
    first = ask(client, conversation, "hello", key="draw-1", top_k=5, stop=["x"])
    assert ask(client, conversation, "hello", key="draw-1", top_k=5, stop=["x"]).content == first.content
    for other in ({"top_k": 6, "stop": ["x"]}, {"top_k": 5, "stop": ["y"]}, {"top_k": 5, "stop": ["x"], "top_p": 0.5}):
        assert ask(client, conversation, "hello", key="draw-1", **other).status_code == 422
    # A field sent as its default is one left out.
    plain = ask(client, conversation, "hello", key="draw-2", temperature=0.5)
    spelt = ask(client, conversation, "hello", key="draw-2", temperature=0.5, top_k=None, stop=None, max_tokens=64)
    assert spelt.content == plain.content
