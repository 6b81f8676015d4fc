"""Outbox claims: tenants take turns, a subject's back-off is respected, a worker that went silent is counted."""

from migrations.script import run_sql

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    run_sql(__file__)
