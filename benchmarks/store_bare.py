"""The least that an endpoint which stores can do: python -m uvicorn benchmarks.store_bare:app

One validated body, one row, one commit. `BARE_DATABASE` is its database.
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from uuid import uuid4

import numpy as np
from fastapi import FastAPI, Request
from psycopg_pool import AsyncConnectionPool
from pydantic import BaseModel

TABLE = """
    CREATE TABLE IF NOT EXISTS bare_memories (
      id text PRIMARY KEY, user_id text NOT NULL, body text NOT NULL, embedding bytea NOT NULL)"""
_INSERT = "INSERT INTO bare_memories VALUES (%s, %s, %s, %s)"


class Memory(BaseModel):
    text: str
    user_id: str
    embedding: list[float]


@asynccontextmanager
async def _pooled(app: FastAPI) -> AsyncIterator[None]:
    async with AsyncConnectionPool(os.environ["BARE_DATABASE"], min_size=8, max_size=20) as pool:
        app.state.pool = pool
        yield


app = FastAPI(lifespan=_pooled)


@app.post("/memories", status_code=201)
async def add(request: Request, body: Memory) -> dict[str, str]:
    made = uuid4().hex
    vector = np.asarray(body.embedding, "<f4").tobytes()
    async with request.app.state.pool.connection() as connection:
        await connection.execute(_INSERT, [made, body.user_id, body.text, vector])
    return {"id": made}
