"""Outbox claims: tenants take turns, a subject's back-off is respected, a worker that went silent is counted."""

from pathlib import Path

from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    script = (Path(__file__).parent / "v0002_fair_claims.sql").read_text()
    # The driver's own cursor: a script of many statements, in which % is just a character.
    with op.get_bind().connection.cursor() as cursor:
        cursor.execute(script)
