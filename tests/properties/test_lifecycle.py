"""The kernel's table of a cube's life and the schema's trigger are the same table; what is frozen does not change."""

import contextlib
from collections.abc import Iterator
from itertools import product
from typing import Any, get_args

import psycopg
import pytest
from sqlalchemy import make_url

from memos.kernel.lifecycle import Lifecycle, legal_from, may_become
from tests.support.postgres import Cluster

STATES: tuple[Lifecycle, ...] = get_args(Lifecycle)
TENANT = "INSERT INTO tenants (id, name) VALUES ('ten_00000000000000000000000000000000', 'one')"
CUBE = """
    BEGIN;
    INSERT INTO memcubes (tenant_id, id, kind, user_id, lifecycle, frozen, head_version_id)
      SELECT id, '{cube}', 'plaintext', 'ada', '{lifecycle}', {frozen}, '{cube}-0' FROM tenants;
    INSERT INTO memcube_versions (tenant_id, id, cube_id, number, operation, hash, commitment, nonce, payload, content,
      payload_sha256, size_bytes, created_at, created_by)
      SELECT id, '{cube}-0', '{cube}', 0, 'create', 'h', 'c', '', 'text', 't', 's', 1, now(), 'test' FROM tenants;
    COMMIT"""
CHANGES = ["priority = 5", "tags = '{a}'", "sensitivity = 'secret'", "visibility = 'tenant'", "expires_at = now()"]


@pytest.fixture
def world(postgres_cluster: Cluster) -> "Iterator[psycopg.Connection[Any]]":
    url = make_url(postgres_cluster.database().admin).set(drivername="postgresql")
    with psycopg.connect(url.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(TENANT)
        yield connection


def test_the_table_and_the_trigger_agree_on_every_pair(world: "psycopg.Connection[Any]") -> None:
    taken: set[tuple[Lifecycle, Lifecycle, bool]] = set()
    for number, (now, then, frozen) in enumerate(product(STATES, STATES, (False, True))):
        world.execute(CUBE.format(cube=f"cube_{number}", lifecycle=now, frozen=frozen))
        with contextlib.suppress(psycopg.errors.IntegrityConstraintViolation):  # what the trigger raises, alone
            world.execute("UPDATE memcubes SET lifecycle = %s WHERE id = %s", [then, f"cube_{number}"])
            taken.add((now, then, frozen))
    asked = product(STATES, STATES, (False, True))
    assert taken == {(a, b, frozen) for a, b, frozen in asked if a == b or may_become(a, b, frozen=frozen)}


@pytest.mark.parametrize("change", CHANGES)
def test_what_is_frozen_does_not_change(world: "psycopg.Connection[Any]", change: str) -> None:
    world.execute(CUBE.format(cube="cube_f", lifecycle="activated", frozen=True))
    with pytest.raises(psycopg.errors.IntegrityConstraintViolation, match="frozen"):
        world.execute(f"UPDATE memcubes SET {change}")
    world.execute("UPDATE memcubes SET reads = reads + 1")  # being read is no change
    world.execute(f"UPDATE memcubes SET frozen = false; UPDATE memcubes SET {change}")


def test_only_erasure_passes_what_is_frozen() -> None:
    for state in STATES:
        assert legal_from(state, frozen=True) <= {"erased"}
    assert legal_from("erased", frozen=False) == frozenset()
