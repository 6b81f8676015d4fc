"""Erasures, their reach and their receipts; what alone may remove what was said."""

from migrations.script import run_sql

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    run_sql(__file__)
