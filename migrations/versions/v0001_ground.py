"""Tenants, keys, conversations, turns, memory cubes and their versions, lineage, blobs, outbox; row-level security."""

from migrations.script import run_sql

revision = "0001"
down_revision = None


def upgrade() -> None:
    run_sql(__file__)
