"""The history checker accepts what is right and names what is wrong: one planted bug, or more, for every rule."""

import dataclasses
import random
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memos.generation.echo import EchoEngine
from memos.kernel.canonical import sha256_hex
from memos.kit.ids import new_id
from tests.faults.synthetic import make
from tests.support.history import RULES, check
from tests.support.rows import Attempt, EdgeRow, History, JobRow, TurnRow, VersionRow

Chance = random.Random
Bug = Callable[[History, Chance], History]
BUGS: dict[str, list[Bug]] = {}


def plants(rule: str) -> Callable[[Bug], Bug]:
    """The function plants a bug that `rule` must name."""

    def add(bug: Bug) -> Bug:
        BUGS.setdefault(rule, []).append(bug)
        return bug

    return add


def _swap(rows: tuple[Any, ...], old: Any, new: Any) -> tuple[Any, ...]:
    """`rows` with one of them replaced, or, by None, removed."""
    place = next(index for index, row in enumerate(rows) if row is old)
    return (*rows[:place], *(() if new is None else (new,)), *rows[place + 1 :])


def _change(history: History, table: str, old: Any, **changes: Any) -> History:
    new: Any = {table: _swap(getattr(history, table), old, replace(old, **changes))}
    return replace(history, **new)


def _remove(history: History, table: str, old: Any) -> History:
    new: Any = {table: _swap(getattr(history, table), old, None)}
    return replace(history, **new)


def _applied(history: History, chance: Chance, **wanted: str) -> TurnRow:
    return chance.choice(
        [t for t in history.turns if t.status == "applied" and all(getattr(t, n) == v for n, v in wanted.items())]
    )


def _advance(history: History, chance: Chance) -> VersionRow:
    return chance.choice([version for version in history.versions if version.operation == "advance"])


def _told(history: History, chance: Chance) -> Attempt:
    return chance.choice([attempt for attempt in history.attempts if attempt.acknowledged])


@plants("acknowledged_turn_lost")
def turn_row_vanishes(history: History, chance: Chance) -> History:
    return _remove(history, "turns", _applied(history, chance))


@plants("acknowledged_turn_lost")
def acknowledged_turn_failed_after_all(history: History, chance: Chance) -> History:
    return _change(history, "turns", _applied(history, chance), status="failed")


@plants("acknowledged_turn_lost")
def stored_answer_differs(history: History, chance: Chance) -> History:
    return _change(history, "turns", _applied(history, chance), output="echo 0 [] something else")


@plants("key_took_effect_twice")
def retry_made_a_second_turn(history: History, chance: Chance) -> History:
    turn = _applied(history, chance)
    return replace(history, turns=(*history.turns, replace(turn, id=new_id("turn"), seq=turn.seq + 1000)))


@plants("key_took_effect_twice")
def retry_took_effect_under_no_key(history: History, chance: Chance) -> History:
    again = replace(_applied(history, chance), id=new_id("turn"), seq=1000, idempotency_key=None, status="answered")
    return replace(history, turns=(*history.turns, again))


@plants("same_key_other_bytes")
def retry_was_answered_differently(history: History, chance: Chance) -> History:
    told = _told(history, chance)
    return replace(history, attempts=(*history.attempts, replace(told, body=(told.body or b"") + b" ")))


@plants("same_key_other_bytes")
def stored_bytes_differ(history: History, chance: Chance) -> History:
    row = chance.choice(history.keys)
    return _change(history, "keys", row, body=(row.body or b"") + b" ")


@plants("same_key_other_bytes")
def stored_key_vanishes(history: History, chance: Chance) -> History:
    return _remove(history, "keys", chance.choice(history.keys))


@plants("key_left_in_flight")
def key_is_never_released(history: History, chance: Chance) -> History:
    return _change(history, "keys", chance.choice(history.keys), status=None, body=None)


@plants("turn_nobody_asked_for")
def input_is_garbled(history: History, chance: Chance) -> History:
    return _change(history, "turns", _applied(history, chance), input="something nobody said")


@plants("turn_nobody_asked_for")
def turn_lands_in_another_conversation(history: History, chance: Chance) -> History:
    turn = _applied(history, chance)
    other = next(cube.conversation_id for cube in history.cubes if cube.conversation_id != turn.conversation_id)
    return _change(history, "turns", turn, conversation_id=other)


@plants("seq_repeated")
def two_turns_share_a_place(history: History, chance: Chance) -> History:
    turn = _applied(history, chance)
    return replace(history, turns=(*history.turns, replace(turn, id=new_id("turn"))))


@plants("seq_missing")
def place_is_skipped(history: History, chance: Chance) -> History:
    last = max(history.turns, key=lambda turn: turn.seq)
    return _change(history, "turns", last, seq=last.seq + 1)


@plants("turn_not_settled")
def turn_is_stuck(history: History, chance: Chance) -> History:
    return _change(history, "turns", _applied(history, chance), status=chance.choice(("accepted", "answered")))


@plants("turn_not_applied_once")
def turn_is_applied_twice(history: History, chance: Chance) -> History:
    version = _advance(history, chance)
    return replace(history, versions=(*history.versions, replace(version, id=new_id("ver"), number=1000)))


@plants("turn_not_applied_once")
def failed_turn_is_in_the_state(history: History, chance: Chance) -> History:
    failed = next(turn for turn in history.turns if turn.status == "failed")
    return _change(history, "versions", _advance(history, chance), turn_id=failed.id)


@plants("turn_not_applied_once")
def turn_names_another_turns_version(history: History, chance: Chance) -> History:
    turn = _applied(history, chance)
    other = next(v for v in history.versions if v.operation == "advance" and v.turn_id != turn.id)
    return _change(history, "turns", turn, written_version_id=other.id)


@plants("job_missing")
def outbox_row_was_skipped(history: History, chance: Chance) -> History:
    return _remove(history, "jobs", chance.choice(history.jobs))


@plants("job_left_open")
def job_is_forgotten(history: History, chance: Chance) -> History:
    status = chance.choice(("queued", "running", "failed"))
    return _change(history, "jobs", chance.choice(history.jobs), status=status)


@plants("job_left_open")
def job_of_no_turn_is_forgotten(history: History, chance: Chance) -> History:
    return replace(history, jobs=(*history.jobs, JobRow(new_id("job"), "conv", None, "queued")))


@plants("chain_broken")
def version_is_rewritten(history: History, chance: Chance) -> History:
    field, value = chance.choice((("epoch", 7), ("created_by", "x"), ("hash", "0" * 64), ("commitment", "0" * 64)))
    return _change(history, "versions", _advance(history, chance), **{field: value})


@plants("chain_broken")
def version_vanishes(history: History, chance: Chance) -> History:
    with_child = {version.parent_id for version in history.versions}
    return _remove(history, "versions", chance.choice([v for v in history.versions if v.id in with_child]))


@plants("chain_broken")
def line_forks(history: History, chance: Chance) -> History:
    version = _advance(history, chance)
    line = [other for other in history.versions if other.cube_id == version.cube_id]
    elsewhere = next(other.id for other in line if other.id not in (version.id, version.parent_id))
    return _change(history, "versions", version, parent_id=elsewhere)


@plants("states_out_of_order")
def two_turns_change_places(history: History, chance: Chance) -> History:
    version = _advance(history, chance)
    line = [v for v in history.versions if v.cube_id == version.cube_id and v.operation == "advance"]
    one, other = chance.sample(line, 2)
    history = _change(history, "versions", one, turn_seq=other.turn_seq)
    return _change(history, "versions", other, turn_seq=one.turn_seq)


@plants("edge_wrong")
def edge_is_missing(history: History, chance: Chance) -> History:
    return _remove(history, "edges", chance.choice(history.edges))


@plants("edge_wrong")
def edge_is_made_up(history: History, chance: Chance) -> History:
    one, other = chance.sample(list(history.versions), 2)
    return replace(history, edges=(*history.edges, EdgeRow(one.id, other.id, "restores")))


@plants("head_not_newest")
def head_lags(history: History, chance: Chance) -> History:
    cube = chance.choice(history.cubes)
    older = [v for v in history.versions if v.cube_id == cube.id and v.number < cube.head_number]
    version = chance.choice(older)
    return _change(history, "cubes", cube, head_version_id=version.id, head_number=version.number)


@plants("head_not_newest")
def cube_vanishes(history: History, chance: Chance) -> History:
    return _remove(history, "cubes", chance.choice(history.cubes))


@plants("payload_damaged")
def words_are_put_into_a_slot(history: History, chance: Chance) -> History:
    version = _advance(history, chance)
    write = {
        "layer": 0,
        "slot": 0,
        "gate": 1.0,
        "words": [*(version.written or [{}])[0].get("words", []), "never said"],
    }
    return _change(history, "versions", version, written=chance.choice((None, [], [write])))


@plants("payload_damaged")
def blob_vanishes(history: History, chance: Chance) -> History:
    blob_id = chance.choice(sorted(history.payloads))
    return replace(history, payloads={name: data for name, data in history.payloads.items() if name != blob_id})


@plants("payload_damaged")
def blob_is_torn(history: History, chance: Chance) -> History:
    blob_id = chance.choice(sorted(history.payloads))
    return replace(history, payloads={**history.payloads, blob_id: history.payloads[blob_id][:-1]})


@plants("payload_damaged")
def nonce_is_another(history: History, chance: Chance) -> History:
    return _change(history, "versions", chance.choice(history.versions), nonce=bytes(32))


@plants("state_holds_wrong_turns")
def state_took_its_turn_in_twice(history: History, chance: Chance) -> History:
    """The blob, its hash and its size agree with each other: only what the state holds is wrong."""
    engine, version = EchoEngine(), _advance(history, chance)
    state = engine.load_state(history.payloads[version.blob_id or ""])
    payload = engine.dump_state(engine.advance(state, "once more", "echo").state)
    history = _change(history, "versions", version, payload_sha256=sha256_hex(payload), size_bytes=len(payload))
    return replace(history, payloads={**history.payloads, version.blob_id or "": payload})


def _answer_from(history: History, turn: TurnRow, shown: str) -> History:
    return _change(history, "turns", turn, output=f"echo {shown} {turn.input}")


@plants("latest_read_stale_state")
def latest_answer_lacks_a_turn(history: History, chance: Chance) -> History:
    turn = chance.choice([t for t in history.turns if t.status == "applied" and (t.base_number or t.lag)])
    history = _change(history, "turns", turn, consistency="latest", lag=0)
    turn = next(t for t in history.turns if t.id == turn.id)
    return _answer_from(history, turn, "0 []")


@plants("latest_read_stale_state")
def latest_answer_admits_a_lag(history: History, chance: Chance) -> History:
    return _change(history, "turns", _applied(history, chance), consistency="latest", lag=1)


@plants("eventual_read_not_prefix")
def eventual_answer_skipped_a_turn(history: History, chance: Chance) -> History:
    turn = chance.choice([t for t in history.turns if t.status == "applied" and t.seq > 2])
    history = _change(history, "turns", turn, consistency="eventual")
    turn = next(t for t in history.turns if t.id == turn.id)
    return _answer_from(history, turn, "1 [1:zzzz]")


@plants("eventual_read_not_prefix")
def answer_reveals_nothing(history: History, chance: Chance) -> History:
    return _change(history, "turns", _applied(history, chance), consistency="eventual", output="hello")


@plants("lag_untrue")
def lag_is_understated(history: History, chance: Chance) -> History:
    turn = next(t for t in history.turns if t.status == "applied" and t.lag)
    return _change(history, "turns", turn, lag=0)


@plants("lag_untrue")
def lag_is_overstated(history: History, chance: Chance) -> History:
    turn = _applied(history, chance)
    return _change(history, "turns", turn, consistency="eventual", lag=turn.seq)


@plants("read_not_recorded")
def base_is_another_version(history: History, chance: Chance) -> History:
    turn = _applied(history, chance)
    other = next(v for v in history.versions if v.id != turn.base_version_id)
    return _change(history, "turns", turn, base_version_id=other.id)


@plants("read_not_recorded")
def read_row_is_missing(history: History, chance: Chance) -> History:
    return _remove(history, "reads", chance.choice(history.reads))


def test_every_rule_has_a_planted_bug() -> None:
    assert set(BUGS) == {rule.__name__ for rule in RULES}


@given(seed=st.integers(0, 2**32), conversations=st.integers(1, 4), turns=st.integers(0, 12))
def test_a_right_history_is_accepted(seed: int, conversations: int, turns: int) -> None:
    assert check(make(seed, conversations=conversations, turns=turns)) == []


@pytest.mark.parametrize(
    ("rule", "bug"), [pytest.param(rule, bug, id=f"{rule}-{bug.__name__}") for rule in BUGS for bug in BUGS[rule]]
)
@given(seed=st.integers(0, 2**32))
def test_a_planted_bug_is_named(rule: str, bug: Bug, seed: int) -> None:
    found = check(bug(make(seed, turns=8), Chance(seed)))
    assert rule in {violation.rule for violation in found}


def test_long_answers_count_what_they_do_not_show() -> None:
    """Beyond 256 turns an answer shows the last ones and a count; the checker holds both against the line."""
    history = make(7, conversations=1, turns=300)
    assert check(history) == []
    last = history.turns[-1]
    short = dataclasses.replace(last, output=(last.output or "").replace("... ", "", 1))
    assert check(replace(history, turns=_swap(history.turns, last, short)))


def test_a_rollback_is_refused() -> None:
    history = make(1)
    odd = _change(history, "versions", history.versions[-1], operation="rollback")
    with pytest.raises(ValueError, match="rollback"):
        check(odd)
