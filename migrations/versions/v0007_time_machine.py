"""Indexes that answer `as_of`, diff and lineage over a million versions."""

from migrations.script import run_sql

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    run_sql(__file__)
