"""What a request body may hold: types as they are, text that can be stored, numbers that have a JSON form."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from memos.conversations.schemas import ConversationCreate, RollbackRequest
from memos.keys.schemas import KeyCreate
from memos.kit.schema import MAX_JSON_DEPTH, unstorable
from memos.turns.schemas import ImportedTurn, TurnCreate, TurnImport

LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
PLAIN = st.text(st.characters(exclude_characters="\x00", exclude_categories=["Cs"]))


def _trees(text: st.SearchStrategy[str]) -> st.SearchStrategy[Any]:
    return st.recursive(
        LEAF | text, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
    )


@given(_trees(PLAIN))
def test_ordinary_json_can_be_stored(value: Any) -> None:
    assert list(unstorable(value)) == []


@pytest.mark.parametrize("wrong", ["a\x00b", "\x00", "\ud800", "x\udfff", float("nan"), float("inf"), -float("inf")])
@given(tree=_trees(PLAIN), place=st.sampled_from(["value", "list", "deep"]))
def test_what_cannot_be_stored_is_found_wherever_it_is(wrong: Any, tree: Any, place: str) -> None:
    value = {"value": {"a": tree, "b": wrong}, "list": [tree, wrong], "deep": {"a": [{"b": {"c": wrong}}]}}[place]
    assert len(list(unstorable(value))) == 1


@pytest.mark.parametrize("key", ["a\x00", "\udcff"])
def test_keys_are_looked_at_too(key: str) -> None:
    assert len(list(unstorable({"fine": {key: 1}}))) == 1


def test_the_complaint_names_the_field() -> None:
    assert list(unstorable({"metadata": {"notes": ["ok", "a\x00"]}})) == ["metadata.notes[1] contains a NUL character"]


@pytest.mark.parametrize(("levels", "found"), [(MAX_JSON_DEPTH, 0), (MAX_JSON_DEPTH + 1, 1), (900, 1)])
def test_nesting_has_a_limit(levels: int, found: int) -> None:
    value: Any = "bottom"
    for _ in range(levels):
        value = [value]
    assert len(list(unstorable(value))) == found


@pytest.mark.parametrize(
    ("model", "body"),
    [
        (ConversationCreate, {"user_id": 5}),
        (ConversationCreate, {"user_id": "ada", "metadata": []}),
        (ConversationCreate, {"user_id": ""}),
        (ConversationCreate, {"user_id": "u" * 201}),
        (ConversationCreate, {"user_id": "ada", "unknown": 1}),
        (TurnCreate, {"input": ""}),
        (TurnCreate, {"input": "x", "stream": "true"}),
        (TurnCreate, {"input": "x", "stream": 1}),
        (TurnCreate, {"input": "x", "max_tokens": "5"}),
        (TurnCreate, {"input": "x", "max_tokens": 5.5}),
        (TurnCreate, {"input": "x", "max_tokens": True}),
        (TurnCreate, {"input": "x", "max_tokens": 0}),
        (TurnCreate, {"input": "x", "max_tokens": 10**30}),
        (TurnCreate, {"input": "x", "temperature": "0"}),
        (TurnCreate, {"input": "x", "consistency": "strong"}),
        (TurnCreate, {"input": "x", "recall": {"top_k": 5, "deep": True}}),
        (TurnCreate, {"input": "x", "seed": 2**53}),
        (RollbackRequest, {"to_turn": -1}),
        (RollbackRequest, {"to_turn": 2**31}),
        (KeyCreate, {"name": "n", "scopes": []}),
        (KeyCreate, {"name": "n", "scopes": ["operator"]}),
        (TurnImport, {"turns": []}),
        (TurnImport, {"turns": [{"input": "a"}]}),
        (TurnImport, {"turns": [{"input": "a", "output": "b", "more": 1}]}),
    ],
)
def test_what_does_not_fit_is_refused(model: Any, body: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        model.model_validate(body)


def test_what_fits_is_taken() -> None:
    turn = TurnCreate.model_validate({"input": "x", "temperature": 1, "recall": {"top_k": 0.0}, "seed": 2**53 - 1})
    assert (turn.temperature, turn.recall.top_k, turn.seed) == (1.0, 0, 2**53 - 1)


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-31", "2026-01-31T12:00:00", "1769860800", 1769860800, "yesterday", "0001-01-01T00:00:00Z",
        "9999-12-31T23:59:59Z", "2026-13-01T00:00:00Z", "2026-01-31T12:00:00+99:00", "",
    ],
)  # fmt: skip
def test_a_moment_needs_its_offset_and_a_year_that_every_clock_knows(written: Any) -> None:
    with pytest.raises(ValidationError):
        ImportedTurn.model_validate({"input": "a", "output": "b", "created_at": written})


def test_a_moment_is_kept_as_the_same_moment() -> None:
    turn = ImportedTurn.model_validate({"input": "a", "output": "b", "created_at": "2026-01-31T12:00:00.5+02:00"})
    assert turn.created_at == datetime(2026, 1, 31, 10, 0, 0, 500_000, UTC)
