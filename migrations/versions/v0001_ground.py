"""Tenants, keys, conversations, turns, memory cubes and their versions, lineage, blobs, outbox; row-level security."""

from pathlib import Path

from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    script = (Path(__file__).parent / "v0001_ground.sql").read_text()
    # The driver's own cursor: a script of many statements, in which % is just a character.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)
