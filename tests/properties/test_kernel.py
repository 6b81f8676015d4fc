"""Hashes and chains: equal values hash equally, unequal ones do not, and every planted change of a chain is found."""

import dataclasses
import hashlib
import json
import random
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from memos.kernel.canonical import canonical_json, commitment, sha256_hex
from memos.kernel.version import Link, VersionFacts, broken_links, version_hash

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
LEAF = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | TEXT
JSON = st.recursive(
    LEAF, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3), max_leaves=10
)


def _same(one: Any, other: Any) -> bool:
    """Equality as JSON has it: 1, 1.0 and true are three values, and so are 0.0 and -0.0."""
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(_same, one, other))
    return repr(one) == repr(other)


def _shuffled(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        keys = list(value)
        order.shuffle(keys)
        return {key: _shuffled(value[key], order) for key in keys}
    return [_shuffled(item, order) for item in value] if isinstance(value, list) else value


@given(JSON, st.randoms(use_true_random=False))
def test_the_order_of_keys_does_not_matter(value: Any, order: random.Random) -> None:
    assert canonical_json(value) == canonical_json(_shuffled(value, order))


@given(JSON)
def test_the_bytes_are_json_and_say_the_whole_value(value: Any) -> None:
    assert _same(json.loads(canonical_json(value)), value)


@given(JSON, JSON)
def test_different_values_have_different_bytes(one: Any, other: Any) -> None:
    assert (canonical_json(one) == canonical_json(other)) is _same(one, other)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")], {"a": float("nan")}])
def test_what_has_no_json_form_is_refused(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical_json(value)


@given(st.binary(min_size=32, max_size=32), st.binary(), st.binary(min_size=32, max_size=32), st.binary())
def test_a_commitment_binds_nonce_and_payload(nonce: bytes, payload: bytes, nonce2: bytes, payload2: bytes) -> None:
    same = (nonce, payload) == (nonce2, payload2)
    assert (commitment(nonce, sha256_hex(payload)) == commitment(nonce2, sha256_hex(payload2))) is same
    assert sha256_hex(payload) == hashlib.sha256(payload).hexdigest()


FACTS = st.builds(
    VersionFacts,
    cube_id=st.just("cube_1"),
    number=st.just(0),
    operation=st.sampled_from(["create", "advance", "rollback", "migrate"]),
    fingerprint=st.none() | TEXT,
    conversation_id=st.none() | TEXT,
    epoch=st.none() | st.integers(0, 5),
    turn_id=st.none() | TEXT,
    created_at=TEXT,
    created_by=TEXT,
)
CHANGES: dict[str, Any] = {
    "cube_id": "cube_2", "number": 77, "operation": "merge", "fingerprint": "another model", "epoch": 99,
    "conversation_id": "conv_x", "turn_id": "turn_x", "created_at": "yesterday", "created_by": "somebody else",
}  # fmt: skip


@st.composite
def chains(draw: st.DrawFn, at_least: int = 1) -> list[Link]:
    """An unbroken line, made as the service makes it."""
    line: list[Link] = []
    for number, drawn in enumerate(draw(st.lists(FACTS, min_size=at_least, max_size=6))):
        facts = dataclasses.replace(drawn, number=number)
        sealed = commitment(number.to_bytes(32, "big"), sha256_hex(draw(st.binary(max_size=8))))
        parent = line[-1].hash if line else None
        line.append(Link(f"ver_{number}", parent, version_hash(parent, facts, sealed), facts, sealed))
    return line


@given(chains(at_least=0))
def test_an_unbroken_line_has_nothing_wrong(line: list[Link]) -> None:
    assert broken_links(line) == []


@given(chains(), st.data())
def test_a_changed_fact_is_found(line: list[Link], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(line) - 1))
    name = data.draw(st.sampled_from(sorted(CHANGES)))
    changed = dataclasses.replace(line[place].facts, **{name: CHANGES[name]})
    line[place] = dataclasses.replace(line[place], facts=changed)
    assert any(f"ver_{place}:" in wrong for wrong in broken_links(line))


@given(chains(), st.data())
def test_a_changed_commitment_hash_or_parent_is_found(line: list[Link], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(line) - 1))
    name = data.draw(st.sampled_from(["commitment", "hash", "parent_hash"]))
    forged: dict[str, Any] = {name: sha256_hex(b"forged")}
    line[place] = dataclasses.replace(line[place], **forged)
    assert broken_links(line) != []


@given(chains(at_least=2), st.data())
def test_a_rewritten_version_breaks_the_one_after_it(line: list[Link], data: st.DataObject) -> None:
    """Whoever rewrites a version and its hash would have to rewrite every version after it."""
    place = data.draw(st.integers(0, len(line) - 2))
    facts = dataclasses.replace(line[place].facts, created_by="somebody else")
    assume(facts != line[place].facts)
    forged = version_hash(line[place].parent_hash, facts, line[place].commitment)
    line[place] = dataclasses.replace(line[place], facts=facts, hash=forged)
    assert broken_links(line) == [f"ver_{place + 1}: its parent hash is not the hash of the version before it"]


@given(chains(at_least=2), st.data())
def test_a_missing_doubled_or_moved_version_is_found(line: list[Link], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(line) - 2))  # cutting off the end leaves an unbroken, shorter line
    what = data.draw(st.sampled_from(["missing", "doubled", "moved"]))
    if what == "missing":
        del line[place]
    elif what == "doubled":
        line.insert(place, line[place])
    else:
        line[place], line[place + 1] = line[place + 1], line[place]
    assert broken_links(line) != []
