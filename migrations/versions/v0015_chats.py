"""The conversations that a chat client means when it resends its history."""

from migrations.script import run_sql

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    run_sql(__file__)
