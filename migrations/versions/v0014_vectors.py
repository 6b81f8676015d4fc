"""Dense search in the database itself, where one process cannot hold the index."""

from migrations.script import run_sql

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    run_sql(__file__)
