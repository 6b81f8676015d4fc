"""Runs the SQL file beside a revision."""

from contextlib import closing
from pathlib import Path

from alembic import op


def run_sql(revision_file: str) -> None:
    """By the driver's own cursor: a script of many statements, in which % is just a character."""
    script = Path(revision_file).with_suffix(".sql").read_text()
    with closing(op.get_bind().connection.cursor()) as cursor:
        cursor.execute(script)
