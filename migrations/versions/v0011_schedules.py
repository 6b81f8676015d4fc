"""Schedules of what runs by itself, and what the invariants found."""

from migrations.script import run_sql

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    run_sql(__file__)
