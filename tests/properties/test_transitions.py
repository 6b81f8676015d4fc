"""The kernel's table of transitions and the schema's trigger are the same table: every pair is tried on a real row."""

import contextlib
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import product
from typing import Any, get_args

import psycopg
import pytest
from sqlalchemy import make_url

from memos.kernel.turn import TRANSITIONS, UNSETTLED, TurnStatus, may_become
from tests.support.postgres import Cluster

STATES: tuple[TurnStatus, ...] = get_args(TurnStatus)
# What each state needs besides its name: a lease, an answer, a version, the epoch that left it behind.
NEEDS = "output = 'o', lease_owner = 'x', lease_token = 'x', lease_expires_at = now(), superseded_epoch = 0, " \
    "written_version_id = (SELECT id FROM memcube_versions LIMIT 1)"  # fmt: skip
WORLD = """
    INSERT INTO tenants (id, name) VALUES ('ten_00000000000000000000000000000000', 'one');
    INSERT INTO conversations (tenant_id, id, user_id, fingerprint)
      SELECT id, 'conv_1', 'ada', 'model' FROM tenants;
    BEGIN;
    INSERT INTO memcubes (tenant_id, id, kind, conversation_id, head_version_id)
      SELECT id, 'cube_1', 'activation', 'conv_1', 'ver_1' FROM tenants;
    INSERT INTO memcube_versions (tenant_id, id, cube_id, number, operation, hash, commitment, nonce, payload,
      payload_sha256, size_bytes, created_at, created_by)
      SELECT id, 'ver_1', 'cube_1', 0, 'create', 'h', 'c', '', 'start', 's', 0, now(), 'test' FROM tenants;
    COMMIT;
    INSERT INTO erasures (tenant_id, id, target, subject, roots, derived, dry_run, status, requested_by)
      SELECT id, 'erase_1', 'turn', 's', '{}', 'redact', false, 'running', 'test' FROM tenants;
    """
# A turn becomes erased with all it said, by an erasure that is running.
ERASED = "input = '', output = NULL, erased_by = 'erase_1'"


@contextmanager
def _world(cluster: Cluster) -> "Iterator[psycopg.Connection[Any]]":
    url = make_url(cluster.database().admin).set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(WORLD)
        yield connection


def _insert(connection: "psycopg.Connection[Any]", seq: int, status: TurnStatus) -> None:
    connection.execute(
        "INSERT INTO turns (tenant_id, id, conversation_id, seq, epoch, status, input, output, lease_owner, "
        "lease_token, lease_expires_at, superseded_epoch, written_version_id, erased_by) "
        "SELECT tenant_id, %s, id, %s, 0, %s, %s, %s, 'x', 'x', now(), 0, 'ver_1', %s FROM conversations",
        [f"turn_{seq}", seq, status, *(("", None, "erase_1") if status == "erased" else ("i", "o", None))],
    )


def test_the_table_and_the_trigger_agree_on_every_pair(postgres_cluster: Cluster) -> None:
    taken: set[tuple[TurnStatus, TurnStatus]] = set()
    with _world(postgres_cluster) as connection:
        for seq, (now, then) in enumerate(product(STATES, STATES), start=1):
            _insert(connection, seq, now)
            with contextlib.suppress(psycopg.errors.IntegrityConstraintViolation):  # what the trigger raises, alone
                needs = ERASED if then == "erased" else NEEDS
                connection.execute(f"UPDATE turns SET status = %s, {needs} WHERE seq = %s", [then, seq])
                taken.add((now, then))
    allowed = {(now, then) for now, then in product(STATES, STATES) if now == then or may_become(now, then)}
    assert taken == allowed
    assert len(allowed) == len(STATES) + sum(map(len, TRANSITIONS.values()))


def test_a_turn_keeps_its_place(postgres_cluster: Cluster) -> None:
    with _world(postgres_cluster) as connection:
        _insert(connection, 1, "accepted")
        for change in ("seq = 2", "epoch = 1", "conversation_id = 'conv_2'", "tenant_id = 'ten_2'"):
            with pytest.raises(psycopg.errors.IntegrityError, match="keeps its place"):
                connection.execute(f"UPDATE turns SET {change}")


def test_epochs_sequences_and_heads_only_rise(postgres_cluster: Cluster) -> None:
    with _world(postgres_cluster) as connection:
        connection.execute("UPDATE conversations SET epoch = 3, next_seq = 5")
        for change in ("epoch = 2", "next_seq = 4"):
            with pytest.raises(psycopg.errors.IntegrityError, match="only rise"):
                connection.execute(f"UPDATE conversations SET {change}")
        for number in (0, 2, -1):
            with pytest.raises(psycopg.errors.IntegrityError, match="one version at a time"):
                connection.execute("UPDATE memcubes SET head_number = %s", [number])


def test_what_is_unsettled_can_still_change_the_memory() -> None:
    assert {
        state for state in STATES if "applied" in TRANSITIONS[state] or "answered" in TRANSITIONS[state]
    } == UNSETTLED
    assert TRANSITIONS.keys() == set(STATES)
    assert TRANSITIONS["erased"] == frozenset()
