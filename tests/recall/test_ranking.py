"""Examples of what is found first, one for each thing that counts."""

from datetime import UTC, datetime

import pytest

from memos.recall import ranking
from memos.recall.filters import parse
from memos.recall.index import RecallIndex
from memos.recall.signals import SIGNALS
from memos.recall.weights import WEIGHTS
from tests.recall.making import DAY_S, NOW, ask, index_of, item, texts, vector


def _at(year: int, month: int, day: int) -> float:
    return datetime(year, month, day, tzinfo=UTC).timestamp()


def test_every_signal_is_known_and_every_weight_is_used() -> None:
    assert set(WEIGHTS) == set(SIGNALS)
    assert all(WEIGHTS.values())


def test_meaning_and_words_count_both() -> None:
    index = index_of(
        item(1, "The puppy barked", vector=vector(1)),
        item(2, "My dog is old", vector=vector(2)),
        item(3, "Tea is ready", vector=vector(3)),
    )
    assert texts(ask(index, "barks", vector=vector(3), explain=True))[0] in ("The puppy barked", "Tea is ready")
    assert texts(ask(index, "something else", vector=vector(2)))[0] == "My dog is old"
    assert texts(ask(index, "barking"))[0] == "The puppy barked"


def test_whoever_is_asked_about_is_listened_to() -> None:
    index = index_of(
        item(1, "I play the piano", speaker="Ada"),
        item(2, "I play the piano", speaker="Grace"),
        item(3, "You play the piano", speaker="Grace"),
    )
    first = ask(index, "What does Grace play?", explain=True)[0]
    assert first.item.cube_id == "cube_0002"
    assert first.signals["person"] > 0
    assert first.signals["self"] > 0


def test_what_nobody_said_is_about_those_it_names() -> None:
    index = index_of(
        item(1, "Ada plays the piano"), item(2, "Grace plays the piano"), item(3, "Hello", speaker="Grace")
    )
    assert texts(ask(index, "What instrument does Grace play?"))[0] == "Grace plays the piano"


def test_an_answer_is_found_by_its_question() -> None:
    index = index_of(
        item(1, "What did you paint?", speaker="Ada", thread="t", vector=vector(1)),
        item(2, "A sunset over the lake.", speaker="Grace", thread="t", vector=vector(2)),
        item(3, "A dog with a hat.", speaker="Grace", thread="u", vector=vector(2)),
        item(4, "Tea is ready.", speaker="Ada", thread="u", vector=vector(3)),
    )
    found = texts(ask(index, "What did Grace paint?", vector=vector(1)))
    assert found[0] == "A sunset over the lake."


def test_neighbours_are_those_of_the_thread_at_that_time() -> None:
    index = index_of(
        item(1, "What did you paint?", thread="t", at=NOW - 9 * DAY_S),
        item(2, "A sunset.", thread="t", at=NOW - 9 * DAY_S, created_at=NOW),
        item(3, "What did you paint?", thread="u", at=NOW - 9 * DAY_S),
        item(4, "A lake.", thread="u", at=NOW - 2 * DAY_S),
        *(item(100 + number, f"Small talk {number}") for number in range(9)),
    )
    signals = {hit.item.text: hit.signals.get("passage", 0.0) for hit in ask(index, "paint", explain=True)}
    assert signals["A sunset."] > signals["A lake."]


def test_a_time_in_the_question_counts() -> None:
    index = index_of(
        item(1, "We went camping", at=_at(2022, 6, 20)),
        item(2, "We went camping", at=_at(2023, 8, 20)),
        item(3, "We stayed at home", at=_at(2023, 6, 21)),
    )
    assert ask(index, "Where did we go in June 2022?")[0].item.cube_id == "cube_0001"
    assert ask(index, "Where did we go camping last August?", now=_at(2024, 1, 1))[0].item.cube_id == "cube_0002"
    assert ask(index, "What did we do in June?")[0].item.cube_id in ("cube_0001", "cube_0003")


def test_when_a_time_is_asked_for_what_tells_one_comes_first() -> None:
    index = index_of(item(1, "I signed the lease"), item(2, "I signed the lease yesterday"))
    assert texts(ask(index, "When did I sign the lease?"))[0] == "I signed the lease yesterday"


def test_before_and_after_an_event_that_is_remembered() -> None:
    index = index_of(
        *(item(100 + number, f"Small talk {number}", at=_at(2020, 1, 1) + number * DAY_S) for number in range(30)),
        item(1, "We moved to a flat", at=_at(2021, 1, 1)),
        item(2, "Our wedding was wonderful", at=_at(2022, 1, 1)),
        item(3, "We moved to a house", at=_at(2023, 1, 1)),
    )
    before = [text for text in texts(ask(index, "Where did we move before the wedding?")) if "moved" in text]
    after = [text for text in texts(ask(index, "Where did we move after the wedding?")) if "moved" in text]
    assert before == ["We moved to a flat", "We moved to a house"]
    assert after == ["We moved to a house", "We moved to a flat"]


def test_the_present_value_alone_unless_history_is_asked_for() -> None:
    index = index_of(
        item(1, "Ada lives in Rome", superseded=True),
        item(2, "Ada lives in Paris"),
        item(3, "Ada lived in Oslo", at=_at(2010, 1, 1), valid_to=_at(2012, 1, 1)),
    )
    assert texts(ask(index, "Where does Ada live?")) == ["Ada lives in Paris"]
    assert texts(ask(index, "Where does Ada live?", history=True))[0] == "Ada lives in Paris"
    assert set(texts(ask(index, "Where did Ada live before?"))) == {
        "Ada lives in Rome",
        "Ada lives in Paris",
        "Ada lived in Oslo",
    }
    assert texts(ask(index, "Where did Ada live in 2011?"))[0] == "Ada lived in Oslo"
    assert "Ada lived in Oslo" not in texts(ask(index, "Where did Ada live in 2015?"))


def test_who_asks_for_what_they_said_gets_that() -> None:
    index = index_of(
        item(1, "A hotel in Rome near the river", role="user", speaker="user"),
        item(2, "A hotel in Rome near the river", role="assistant", speaker="assistant", thread="x"),
        item(3, "Something else", role="user", speaker="user"),
    )
    assert ask(index, "Which hotel in Rome did I mention?")[0].item.role == "user"
    assert ask(index, "Which hotel in Rome did you recommend?")[0].item.role == "assistant"


def test_what_says_the_same_comes_after_what_says_something_else() -> None:
    told = "I had pasta with tomatoes and basil near the station on Friday evening"
    index = index_of(
        item(1, told), item(2, told + "!"), item(3, told.upper()), item(4, "Pasta is what I had for lunch on Monday")
    )
    hits = ask(index, "What pasta did I have?", explain=True)
    assert [hit.item.cube_id for hit in hits[:2]] in (["cube_0001", "cube_0004"], ["cube_0004", "cube_0001"])
    assert all(hit.signals["repeats"] < 0 for hit in hits[2:])
    assert [sum(hit.signals.values()) for hit in hits] == pytest.approx([hit.score for hit in hits])
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_in_a_large_scope_a_neighbour_of_what_was_found_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ranking, "WHOLE", 0)
    index = index_of(item(1, "What did you paint?", thread="t"), item(2, "A sunset.", thread="t"), item(3, "Tea."))
    assert set(texts(ask(index, "paint"))) == {"What did you paint?", "A sunset."}


def test_a_filter_may_leave_nothing() -> None:
    index = index_of(item(1, "a dog", tags=("red",)))
    assert ask(index, "dog", filters=parse({"tags": "blue"})) == []


@pytest.mark.parametrize("question", ["", "?!", "the of and", "\u2026" * 500, "a" * 20_000, "\ud800 dog"])
def test_any_question_is_answered(question: str) -> None:
    index = index_of(item(1, "a dog", vector=vector(1)), item(2, "", vector=vector(2)))
    assert len(ask(index, question, vector=vector(1))) == 2


def test_weights_can_be_measured_one_by_one() -> None:
    index = RecallIndex(8, weights={"words": 1.0})
    index.put([item(1, "a dog", speaker="Ada"), item(2, "tea", speaker="Ada")])
    hits = ask(index, "Has Ada a dog?", explain=True)
    assert {name for hit in hits for name in hit.signals} == {"words"}
