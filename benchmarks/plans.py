"""The plans of what a call sends to the database: its statements are noted as they go out, and run again under EXPLAIN
as the service's role, with the tenant bound, in the same order."""

import re
from types import TracebackType
from typing import Any, Self

import psycopg
from psycopg.rows import dict_row
from sqlalchemy import TextClause, make_url

from memos.kit import unit_of_work
from memos.kit.unit_of_work import Connection, Cursor

RUNS = 3  # of which the quickest counts: the plan, and not what else the machine did
_READS = ("SELECT", "WITH")  # what the service does beside the call, and what changes anything, is not run again
_BIND = "SELECT set_config"


class Recorder:
    """`with recorder:` around a call; then `plans()`."""

    def __init__(self, address: str, tenant_id: str) -> None:
        self._address = address
        self._tenant_id = tenant_id
        self._sent: list[tuple[str, Any]] = []
        self._real = unit_of_work.run_statement

    def __enter__(self) -> Self:
        async def noted(raw: Connection, statement: TextClause, parameters: Any) -> Cursor:
            self._sent.append((unit_of_work._sql(statement), parameters))
            return await self._real(raw, statement, parameters)

        unit_of_work.run_statement = noted
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        unit_of_work.run_statement = self._real

    def plans(self, how: str = "ANALYZE, BUFFERS") -> list[dict[str, Any]]:
        url = make_url(self._address).set(drivername="postgresql").render_as_string(hide_password=False)
        found = []
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            connection.execute("SELECT set_config('memos.tenant', %s, false)", [self._tenant_id])
            for sql, parameters in self._sent:
                if sql.strip().startswith(_READS) and not sql.strip().startswith(_BIND):
                    took_ms, lines = min(_explained(connection, how, sql, parameters) for _ in range(RUNS))
                    found.append({"statement": " ".join(sql.split()), "took_ms": took_ms, "plan": lines})
        return found

    def database_ms(self) -> float:
        """What the statements take by themselves."""
        return float(sum(plan["took_ms"] for plan in self.plans("ANALYZE, TIMING OFF")))


def _explained(connection: "psycopg.Connection[Any]", how: str, sql: str, parameters: Any) -> tuple[float, list[str]]:
    rows = connection.execute(f"EXPLAIN ({how}) {sql}", parameters).fetchall()
    lines = [_shortened(str(row["QUERY PLAN"])) for row in rows]
    return next(float(line.split()[2]) for line in lines if line.startswith("Execution Time")), lines


def _shortened(line: str) -> str:
    """Without the ids in it, of which there may be thousands."""
    return re.sub(r"'\{([^}]*)\}'", lambda match: f"'{{{match[1].count(',') + 1} values}}'", line)
