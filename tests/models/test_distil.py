"""Context distillation: what a teacher is found to know, what a delta then answers, and how a killed run ends."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from models.engine import RxtEngine
from models.errors import NothingToTeach
from models.rxt.checkpoint import Checkpoint, load_checkpoint
from models.training import distil, lessons
from models.training.conversations.compile import divide
from models.training.distil import Job, run
from models.training.lessons import Source, Taught, told_by
from models.training.recite import Reciter
from tests.models.helpers import answer, say

TOLD = {
    "My dog is called Biscuit.": ("What is my dog called?", "Your dog is called Biscuit."),
    "I live in Zurich.": ("Where do I live?", "You live in Zurich."),
    "My sister's name is Juniper.": ("What's my sister's name?", "Your sister is called Juniper."),
}


@pytest.fixture(scope="module")
def teacher() -> Checkpoint:
    return load_checkpoint()


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch) -> None:
    """As little to be left alone as shows that it is."""
    monkeypatch.setattr(lessons, "ALONE", 160)
    monkeypatch.setattr(lessons, "CONVERSATIONS", 6)
    monkeypatch.setattr(distil, "TAUGHT", 16)
    monkeypatch.setattr(distil, "KEPT", 16)
    monkeypatch.setattr(distil, "CHECKED", 20)


def sources(engine: RxtEngine, *texts: str) -> tuple[Source, ...]:
    return tuple(Source(engine.advance(engine.start_state(), text, "").state, text) for text in texts)


def told(engine: RxtEngine, teacher: Checkpoint, source: Source) -> list[str]:
    return [" ".join(taught.answer) for taught in told_by(engine, Reciter(teacher, {}), source)]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("My zorb is known as Fimo.", "your zorb is called fimo ."),
        ("Remember this: my kid is called Resalt.", "your kid is called resalt ."),
        ("My favourite food is pizza.", "your favourite food is pizza ."),
        ("Anna's dog is called Rex.", "anna 's dog is called rex ."),
        ("I live in Paris. My cat is called Milo.", "your cat is called milo ."),
        ("I took a job at Zukolt.", "you work at zukolt ."),
    ],
)
def test_a_text_is_asked_for_what_it_tells(released, teacher, text, found) -> None:
    assert found in told(released, teacher, sources(released, text)[0])


@pytest.mark.parametrize("text", ["It rained today.", "", "What is my dog called?", "?!"])
def test_a_text_that_tells_nothing_teaches_nothing(released, teacher, text) -> None:
    assert told(released, teacher, sources(released, text)[0]) == []


def test_a_state_is_asked_for_what_its_conversation_told(released, teacher) -> None:
    state = say(released, released.start_state(), *TOLD)
    found = told(released, teacher, Source(state))
    assert {"your dog is called biscuit .", "you live in zurich .", "your sister is called juniper ."} <= set(found)


@pytest.mark.usefixtures("few")
def test_the_newest_wins(released, teacher) -> None:
    both = sources(released, "My dog is called Biscuit.", "My dog is called Waffle now.")
    for order, value in ((both, "waffle"), (both[::-1], "biscuit")):
        _, found = lessons.prepare(released, teacher, order, 0)
        assert [taught.answer for taught in found.facts if taught.fact.key == "dog"] == [
            ("your", "dog", "is", "called", value, ".")
        ]


@pytest.mark.usefixtures("few")
def test_held_out_phrasings_are_not_taught(released, teacher) -> None:
    _, found = lessons.prepare(released, teacher, sources(released, *TOLD), 0)
    assert found.unseen
    marks = {teacher.tokenizer.ids[mark] for mark in ".,!?"}
    bare = [{tuple(t for t in q.prompt if t not in marks) for q in some} for some in (found.taught, found.unseen)]
    assert bare[0].isdisjoint(bare[1])
    for taught in found.facts:
        assert isinstance(taught, Taught)
        assert not set(lessons.phrasings(taught.fact)) & set(divide(taught.fact.family.questions, 3)[1])


@pytest.mark.full  # over REST and in a process of its own: tests/deltas/test_real_model.py
@pytest.mark.usefixtures("few")
def test_a_delta_answers_what_it_was_taught_and_leaves_the_rest_alone(released, teacher) -> None:
    payload, figures = run(released, teacher, Job(sources(released, *TOLD), 16, 60, 1))
    delta = released.load_delta(payload)
    start = released.start_state()
    for question, wanted in TOLD.values():
        assert answer(released, start, question)[0] != wanted
        assert answer(released, start, question, deltas=(delta,))[0] == wanted
        assert answer(released, start, question)[0] != wanted
    assert figures["right_before"] == 0
    assert figures["right_after"] > 0.7
    assert "don't know" in answer(released, start, "What is my horse called?", deltas=(delta,))[0]
    told = say(released, start, "My dog is called Waffle.")
    assert "Waffle" in answer(released, told, "What is my dog called?", deltas=(delta,))[0]


@pytest.mark.usefixtures("few")
def test_a_run_that_was_cut_off_twice_ends_with_the_same_bytes(released, teacher, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(distil, "SAVE_EVERY", 2)
    monkeypatch.setattr(lessons, "ALONE", 60)
    job = Job(sources(released, next(iter(TOLD))), 4, 8, 3)
    whole, _ = run(released, teacher, job)

    class Cut(Exception):
        pass

    for last in (3, 5):

        def cut(step: int, last: int = last) -> None:
            if step == last:
                raise Cut

        with pytest.raises(Cut):
            run(released, teacher, job, tmp_path, cut)
    steps: list[int] = []
    assert run(released, teacher, job, tmp_path, steps.append)[0] == whole
    assert steps[0] == 4  # and not from the beginning
    other, _ = run(released, teacher, Job(job.sources, 4, 2, 4))
    assert other != whole


@pytest.mark.usefixtures("few")
def test_nothing_to_teach_is_said(released, teacher) -> None:
    with pytest.raises(NothingToTeach):
        run(released, teacher, Job(sources(released, "It rained today."), 4, 3, 0))


@pytest.mark.full
@pytest.mark.timeout(600)
def test_a_process_that_is_killed_goes_on_to_the_same_bytes(tmp_path: Path) -> None:
    job = {"sources": [{"text": text} for text in TOLD], "rank": 4, "steps": 60, "seed": 5}
    bodies = []
    for name, kills in (("whole", 0), ("killed", 2)):
        folder = tmp_path / name
        folder.mkdir()
        (folder / distil.JOB).write_text(json.dumps(job))
        command = [sys.executable, "-m", "models.training.distil", str(folder)]
        for kill in range(kills):
            child = subprocess.Popen(command)
            deadline = time.monotonic() + 120
            while not _reached(folder, 25 + 15 * kill) and time.monotonic() < deadline:
                time.sleep(0.02)
            os.kill(child.pid, signal.SIGKILL)
            child.wait()
        subprocess.run(command, check=True)
        bodies.append((folder / distil.DELTA).read_bytes())
    assert bodies[0] == bodies[1]


def _reached(folder: Path, step: int) -> bool:
    progress = folder / distil.PROGRESS
    return progress.exists() and int(progress.read_text()) >= step
