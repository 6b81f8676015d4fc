"""What was said in a turn stays as it was said, until it is erased."""

from migrations.script import run_sql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    run_sql(__file__)
