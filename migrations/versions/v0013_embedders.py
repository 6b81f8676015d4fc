"""Changing the embedding model: what re-embeds, and when a scope switches."""

from migrations.script import run_sql

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    run_sql(__file__)
