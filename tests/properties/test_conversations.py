"""Whatever is done to conversations over REST, each state holds exactly the turns that a dictionary says it holds.

A hypothesis state machine creates, talks, imports, goes back, forks, cancels, retries and restarts the API; the model
is a list of turns per conversation. What a state holds is read off echo's answers.
"""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from memos.kernel.version import broken_links
from tests.api.talk import ask, chain, held, meanwhile, of, post, problem, say, settled, turns, under_way
from tests.support.live import Live, serve
from tests.support.postgres import Addresses, Cluster

WORDS = st.text(st.characters(exclude_characters="\x00/", exclude_categories=["Cs"]), min_size=1, max_size=12)


class Place:
    """The service under test. It can be stopped and started over the same database and blobs."""

    def __init__(self, database: Addresses, blobs: Path) -> None:
        self._database = database
        self._blobs = blobs
        self._stack = ExitStack()
        self.key: str | None = None
        self.client: httpx2.Client
        self.start()

    def start(self) -> None:
        live: Live = self._stack.enter_context(
            serve(self._database, blob_url=self._blobs.as_uri(), relay_poll_s=0.05, max_pending_turns=200)
        )
        self.key = self.key or live.key
        self.client = self._stack.enter_context(live.client(self.key))

    def stop(self) -> None:
        self._stack.close()


@dataclass
class Expected:
    """What one conversation must look like."""

    id: str
    line: list[tuple[int, str]] = field(default_factory=list)  # (seq, input) of the turns its state holds
    listed: dict[int, tuple[str, str]] = field(default_factory=dict)  # seq -> (input, status once settled)
    past: dict[int, list[tuple[int, str]]] = field(default_factory=dict)  # seq -> the line when that turn was taken in
    next_seq: int = 1
    epoch: int = 0

    def take(self, text: str) -> int:
        seq = self.next_seq
        self.next_seq += 1
        self.line.append((seq, text))
        self.listed[seq] = (text, "applied")
        self.past[seq] = list(self.line)
        return seq

    def texts(self) -> list[str]:
        return [text for _, text in self.line]


class Conversations(RuleBasedStateMachine):
    """Rules draw an index; it names one of the conversations there are."""

    place: Place

    def __init__(self) -> None:
        super().__init__()
        self.all: list[Expected] = []
        self.answered: list[tuple[str, str, str, bytes]] = []  # (conversation, text, key, answer)
        self.create()

    @property
    def client(self) -> httpx2.Client:
        return self.place.client

    def _one(self, index: int) -> Expected:
        return self.all[index % len(self.all)]

    def _seq(self, expected: Expected, index: int) -> int:
        """The start, or one of the turns of the present line."""
        seqs = [0, *(seq for seq, _ in expected.line)]
        return seqs[index % len(seqs)]

    @rule()
    def create(self) -> None:
        self.all.append(Expected(str(post(self.client, "/v1/conversations", {"user_id": "ada"}).json()["id"])))

    @rule(index=st.integers(0, 9), text=WORDS, keyed=st.booleans())
    def talk(self, index: int, text: str, keyed: bool) -> None:
        expected = self._one(index)
        key = f"{expected.id}-{expected.next_seq}" if keyed else None
        answer = ask(self.client, expected.id, text, key=key)
        assert answer.status_code == 201, answer.text
        turn = answer.json()
        assert held(turn["output"]) == of(*expected.texts())
        assert turn["memory"]["lag"] == 0
        assert turn["seq"] == expected.take(text)
        if key is not None:
            self.answered.append((expected.id, text, key, answer.content))

    @rule(index=st.integers(0, 9), text=WORDS)
    def talk_without_waiting(self, index: int, text: str) -> None:
        """What the state lacks is what the answer says that it lacks, and always the newest."""
        expected = self._one(index)
        turn = say(self.client, expected.id, text, consistency="eventual")
        seen = held(turn["output"])
        assert len(seen) + turn["memory"]["lag"] == len(expected.line)
        assert seen == of(*expected.texts()[: len(seen)])
        expected.take(text)

    @rule(index=st.integers(0, 9), texts=st.lists(WORDS, min_size=1, max_size=3))
    def take_in(self, index: int, texts: list[str]) -> None:
        expected = self._one(index)
        exchange = [{"input": text, "output": text.upper()} for text in texts]
        made = post(self.client, f"/v1/conversations/{expected.id}/turns/import", {"turns": exchange}).json()["turns"]
        assert [turn["seq"] for turn in made] == [expected.take(text) for text in texts]

    @rule(index=st.integers(0, 9), to=st.integers(0, 20))
    def go_back(self, index: int, to: int) -> None:
        expected = self._one(index)
        seq = self._seq(expected, to)
        settled(self.client, expected.id)
        answer = post(self.client, f"/v1/conversations/{expected.id}/rollback", {"to_turn": seq}).json()
        left = [number for number, _ in expected.line if number > seq]
        assert answer["superseded_turns"] == len(left)
        for number in left:
            expected.listed[number] = (expected.listed[number][0], "superseded")
        expected.line = [entry for entry in expected.line if entry[0] <= seq]
        expected.epoch += 1
        assert answer["conversation"]["epoch"] == expected.epoch

    @rule(index=st.integers(0, 9), to=st.integers(1, 20))
    def cannot_go_to_what_was_left(self, index: int, to: int) -> None:
        expected = self._one(index)
        settled(self.client, expected.id)
        if to not in [seq for seq, _ in expected.line]:
            here = f"/v1/conversations/{expected.id}/rollback"
            problem(self.client.post(here, json={"to_turn": to}), 409, "no_such_turn")

    @precondition(lambda self: len(self.all) < 6)
    @rule(index=st.integers(0, 9), at=st.integers(0, 20), left=st.booleans())
    def fork(self, index: int, at: int, left: bool) -> None:
        """At a turn of the line; or at any that was ever taken in, left behind or not."""
        expected = self._one(index)
        in_line = [0, *(seq for seq, _ in expected.line)]
        seqs = sorted(expected.past) if left and expected.past else in_line
        seq = seqs[at % len(seqs)]
        line = [entry for entry in expected.line if entry[0] <= seq] if seq in in_line else expected.past[seq]
        settled(self.client, expected.id)
        made = post(self.client, f"/v1/conversations/{expected.id}/fork", {"at_turn": seq}).json()
        assert made["forked_from"] == {"conversation_id": expected.id, "at_turn": seq}
        listed = {number: (text, "applied") for number, text in line}
        past = {number: [entry for entry in line if entry[0] <= number] for number, _ in line}
        self.all.append(Expected(made["id"], list(line), listed, past, next_seq=seq + 1))

    @rule(index=st.integers(0, 9))
    def stop_in_the_middle(self, index: int) -> None:
        expected = self._one(index)
        settled(self.client, expected.id)
        text = "/slow 40 a b c d e f g h i j k l m n o p q r s t"
        with meanwhile(lambda: ask(self.client, expected.id, text)) as asked:
            turn = under_way(self.client, expected.id, expected.next_seq)
            stopped = post(self.client, f"/v1/turns/{turn['id']}/cancel").json()
        assert asked.result().json()["output"] == stopped["output"]
        assert stopped["status"] == "cancelled"
        expected.listed[expected.next_seq] = (text, "cancelled")
        expected.next_seq += 1

    @precondition(lambda self: self.answered)
    @rule(index=st.integers(0, 20))
    def ask_again(self, index: int) -> None:
        """A key keeps its answer through whatever has happened since."""
        conversation, text, key, answer = self.answered[index % len(self.answered)]
        assert ask(self.client, conversation, text, key=key).content == answer

    @precondition(lambda self: sum(len(expected.listed) for expected in self.all) >= 4)
    @rule()
    def restart(self) -> None:
        self.place.stop()
        self.place.start()

    def teardown(self) -> None:
        for expected in self.all:
            view = settled(self.client, expected.id)
            assert (view["epoch"], view["turn_count"]) == (expected.epoch, expected.next_seq - 1)
            found = {turn["seq"]: (turn["input"], turn["status"]) for turn in turns(self.client, expected.id)}
            assert found == expected.listed
            assert broken_links(chain(self.client, view["state_cube_id"])) == []
            assert held(say(self.client, expected.id, "last")["output"]) == of(*expected.texts())


@pytest.fixture
def place(postgres_cluster: Cluster, tmp_path: Path) -> Iterator[Place]:
    running = Place(postgres_cluster.database(), tmp_path)
    yield running
    running.stop()


def _run(place: Place, **how: Any) -> None:
    machine = type("Bound", (Conversations,), {"place": place})
    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_state_machine_as_test(machine, settings=settings(deadline=None, suppress_health_check=checks, **how))


@pytest.mark.timeout(240)
def test_every_state_holds_what_the_model_says(place: Place) -> None:
    # Not shrunk: that takes minutes against a real service. The printed blob repeats a failure.
    _run(place, max_examples=30, stateful_step_count=15, phases=[Phase.explicit, Phase.generate], print_blob=True)


@pytest.mark.full
@pytest.mark.timeout(1800)
def test_every_state_holds_what_the_model_says_at_length(place: Place) -> None:
    _run(place, max_examples=250, stateful_step_count=40)
