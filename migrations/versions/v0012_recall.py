"""Recall: what stamps a memory for its scope, embeddings, and what says the same."""

from migrations.script import run_sql

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    run_sql(__file__)
