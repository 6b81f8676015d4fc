"""Parameter cubes: distillation runs and where their deltas are mounted."""

from migrations.script import run_sql

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    run_sql(__file__)
