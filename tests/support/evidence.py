"""Reads the final rows of a database and its blobs for the history checker, as an administrator who sees all."""

from collections.abc import Iterable, Sequence
from dataclasses import fields
from pathlib import Path
from typing import Any, TypeVar

import psycopg
from psycopg.rows import class_row
from sqlalchemy import make_url

from memos.cubes.versions import blob_key
from tests.support.rows import Attempt, CubeRow, EdgeRow, History, JobRow, KeyRow, ReadRow, TurnRow, VersionRow

R = TypeVar("R")
_TURN = "turn_id IN (SELECT id FROM turns WHERE conversation_id = ANY(%(ids)s))"
_VERSION = "child_id IN (SELECT id FROM memcube_versions WHERE conversation_id = ANY(%(ids)s))"


def connect(admin_url: str) -> "psycopg.Connection[Any]":
    url = make_url(admin_url)
    host, port = str(url.query["host"]), str(url.query["port"])
    return psycopg.connect(host=host, port=port, user=url.username, dbname=url.database, autocommit=True)


def read_history(admin_url: str, blobs: Path, attempts: Iterable[Attempt], conversations: Sequence[str]) -> History:
    """The log and rows of these conversations, in one snapshot."""
    log = tuple(attempts)
    parameters = {"ids": list(conversations), "keys": [attempt.key for attempt in log]}
    with connect(admin_url) as connection:
        connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY")

        def rows(row: type[R], table: str, where: str) -> tuple[R, ...]:
            columns = ", ".join(field.name for field in fields(row))  # type: ignore[arg-type]
            with connection.cursor(row_factory=class_row(row)) as cursor:
                return tuple(cursor.execute(f"SELECT {columns} FROM {table} WHERE {where}", parameters))

        versions = rows(VersionRow, "memcube_versions", "conversation_id = ANY(%(ids)s)")
        return History(
            attempts=log,
            turns=rows(TurnRow, "turns", "conversation_id = ANY(%(ids)s)"),
            versions=versions,
            cubes=rows(CubeRow, "memcubes", "conversation_id = ANY(%(ids)s)"),
            edges=rows(EdgeRow, "lineage_edges", _VERSION),
            reads=rows(ReadRow, "turn_reads", _TURN),
            keys=rows(KeyRow, "idempotency_keys", f"key = ANY(%(keys)s) OR {_TURN}"),
            jobs=rows(JobRow, "outbox", f"subject = ANY(%(ids)s) OR {_TURN}"),
            payloads=_payloads(blobs, [version.blob_id for version in versions if version.blob_id is not None]),
        )


def _payloads(blobs: Path, ids: Sequence[str]) -> dict[str, bytes]:
    found = {}
    for blob_id in ids:
        path = blobs / blob_key(blob_id)
        if path.exists():
            found[blob_id] = path.read_bytes()
    return found
