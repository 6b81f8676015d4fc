"""Cubes of all three kinds: their metadata, their lifecycle with its events, and versions with world time."""

from migrations.script import run_sql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    run_sql(__file__)
