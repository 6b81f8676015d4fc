"""Times in questions: what is read, as dates, and what is not mistaken for a time."""

from datetime import UTC, datetime

import pytest

from memos.recall.when import when

NOW = datetime(2024, 5, 15, 12, tzinfo=UTC)  # a Wednesday


def _read(question: str) -> list[tuple[str, str]]:
    return [(_date(start), _date(end)) for start, end in when(question, NOW.timestamp()).spans]


def _date(seconds: float) -> str:
    return "ever" if seconds in (float("inf"), -float("inf")) else f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%d}"


@pytest.mark.parametrize(
    ("question", "start", "end"),
    [
        ("What did I buy yesterday?", "2024-05-14", "2024-05-15"),
        ("What is on today?", "2024-05-15", "2024-05-16"),
        ("Who came last May?", "2023-05-01", "2023-06-01"),
        ("Who came last April?", "2024-04-01", "2024-05-01"),
        ("Who comes next March?", "2025-03-01", "2025-04-01"),
        ("What happened in May 2022?", "2022-05-01", "2022-06-01"),
        ("Where did Ada live in 2022?", "2022-01-01", "2023-01-01"),
        ("What was on 8 May 2023?", "2023-05-08", "2023-05-09"),
        ("What was on May 8th, 2023?", "2023-05-08", "2023-05-09"),
        ("What was on the 8th of May?", "2024-05-08", "2024-05-09"),
        ("What was on June 8?", "2023-06-08", "2023-06-09"),
        ("What was on 2023-02-28?", "2023-02-28", "2023-03-01"),
        ("What did we do last week?", "2024-05-06", "2024-05-13"),
        ("What did we do last month?", "2024-04-01", "2024-05-01"),
        ("What did we do this year?", "2024-01-01", "2025-01-01"),
        ("What did we do last year?", "2023-01-01", "2024-01-01"),
        ("Where were we two years ago?", "2021-11-15", "2022-11-15"),
        ("What did I eat 3 days ago?", "2024-05-12", "2024-05-13"),
        ("Who called in the last two weeks?", "2024-05-01", "2024-05-15"),
        ("What did I do last Friday?", "2024-05-10", "2024-05-11"),
        ("What did I do last Wednesday?", "2024-05-08", "2024-05-09"),
        ("Where did we go last summer?", "2023-06-01", "2023-09-01"),
        ("Where did we go in the winter of 2022?", "2022-12-01", "2023-03-01"),
        ("Where did Ada work before 2020?", "ever", "2020-01-01"),
        ("What has Ada done since March 2024?", "2024-03-01", "ever"),
        ("What did Ada do after May 8, 2023?", "2023-05-09", "ever"),
    ],
)
def test_what_is_read(question: str, start: str, end: str) -> None:
    assert _read(question) == [(start, end)]


@pytest.mark.parametrize(
    "question",
    [
        "Who may march with us?",
        "May I ask something?",
        "Is 31 June a day?",
        "How many of the 12 eggs are left?",
        "Did she fall on the stairs in her spring shoes?",
        "What is the best day?",
        "",
    ],
)
def test_what_is_no_time(question: str) -> None:
    read = when(question, NOW.timestamp())
    assert not read.spans
    assert not read.months


def test_a_month_without_a_year_is_every_such_month() -> None:
    assert when("What did we do in June?", NOW.timestamp()).months == {6}
    assert not when("What did we do in June?", NOW.timestamp()).spans


@pytest.mark.parametrize(
    ("question", "asked"),
    [
        ("When did Ada move?", True),
        ("How long has she lived there?", True),
        ("How many weeks did it take her?", True),
        ("How many eggs are left?", False),
        ("In which month is the fair?", True),
        ("What did Ada do when it rained?", False),
        ("How did Ada move?", False),
    ],
)
def test_whether_a_time_is_asked_for(question: str, asked: bool) -> None:
    assert when(question, NOW.timestamp()).asked is asked


@pytest.mark.parametrize(
    ("question", "history"),
    [
        ("Where did Ada use to live?", False),
        ("Where was it that Ada used to live?", True),
        ("What was her name originally?", True),
        ("Where did she live before?", True),
        ("What was the previous plan?", True),
        ("Where does Ada live?", False),
        ("How old is Ada?", False),
    ],
)
def test_whether_history_is_asked_for(question: str, history: bool) -> None:
    assert when(question, NOW.timestamp()).history is history


def test_an_event_that_is_named() -> None:
    assert when("Where did we live before the wedding?", NOW.timestamp()).anchor == ("before", "wedding")
    assert when("What did she do after her first marathon?", NOW.timestamp()).anchor == ("after", "first marathon")
    assert when("Where did we live before 2020?", NOW.timestamp()).anchor is None


def test_a_day_that_is_not_in_the_calendar_is_its_month() -> None:
    assert _read("What was on 31 February 2023?") == [("2023-02-01", "2023-03-01")]
    assert _read("What was 999 years ago?") == [("1025-07-15", "1026-07-15")]
    assert when("What was 999 years ago?", -60_000_000_000.0).spans == ()
