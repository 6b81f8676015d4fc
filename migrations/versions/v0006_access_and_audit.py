"""Grants on cubes, and the append-only, hash-chained audit log."""

from migrations.script import run_sql

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    run_sql(__file__)
