"""A service whose upper parts are small stand-ins: run_serve DATA_DIR GENERATOR PORT [real]

What is under test is the order, the processes and the signals. With `real` the upper parts are the true ones.
"""

import asyncio
import os
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
from fastapi import FastAPI

from memos.embedded.serve import serve
from memos.kit.config import Settings


def upgrade(admin_url: str, *, app_password: str | None = None) -> None:
    with psycopg.connect(admin_url.replace("+psycopg", ""), autocommit=True) as connection:
        if connection.execute("SELECT 1 FROM pg_roles WHERE rolname = 'memos_app'").fetchone() is None:
            connection.execute("CREATE ROLE memos_app LOGIN")
            connection.execute("CREATE TABLE starts (n int)")
            connection.execute("GRANT ALL ON starts TO memos_app")
        connection.execute("INSERT INTO starts VALUES (1)")


def ensure_admin_key(settings: Settings, path: Path) -> None:
    path.touch(mode=0o600)


def create_app(
    settings: Settings,
    *,
    children: Callable[[], dict[str, Any]] | None = None,
    before_serving: Callable[[Any], Awaitable[None]] | None = None,
) -> FastAPI:
    """Nothing of this one was restored, so there is nothing to be done before it serves."""
    app = FastAPI()
    database = (settings.database_url or "").replace("+psycopg", "")

    @app.get("/facts")
    def facts() -> dict[str, Any]:
        with psycopg.connect(database) as connection:
            row = connection.execute("SELECT current_user, (SELECT count(*) FROM starts)").fetchone()
        secret = settings.secret.get_secret_value() if settings.secret else None
        return {
            "row": row,
            "pid": os.getpid(),
            "model_url": settings.model_url,
            "blob_url": settings.blob_url,
            "secret": secret,
            "children": children() if children else None,
        }

    @app.get("/slow")
    async def slow() -> dict[str, str]:
        await asyncio.sleep(1.0)
        return {"slow": "done"}

    return app


def stand_in(name: str, **members: object) -> None:
    module = ModuleType(name)
    vars(module).update(members)
    sys.modules[name] = module


if __name__ == "__main__":
    if "real" not in sys.argv:
        stand_in("migrations.runner", upgrade=upgrade)
        stand_in("memos.keys.bootstrap", ensure_admin_key=ensure_admin_key)
        stand_in("memos.http.app", create_app=create_app)
    sys.exit(serve(Settings(data_dir=Path(sys.argv[1]), generator=sys.argv[2], port=int(sys.argv[3]))))
