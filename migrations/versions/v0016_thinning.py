"""States kept as recipes: which payloads were dropped because replaying gives them again."""

from migrations.script import run_sql

revision = "0016"
down_revision = "0015"


def upgrade() -> None:
    run_sql(__file__)
