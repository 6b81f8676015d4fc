"""/healthz, /readyz and /v1/stats"""

import asyncio
import time
from collections.abc import Awaitable
from datetime import datetime, timedelta
from typing import Any, Literal

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse, PlainTextResponse
from prometheus_client import CONTENT_TYPE_LATEST
from pydantic import ConfigDict, Field
from sqlalchemy import RowMapping

import memos
from memos.embedders.schemas import EmbedderStatus
from memos.http.deps import WITHOUT_KEY, Reader, RuntimeDep, problems
from memos.invariants import service as invariants
from memos.invariants.schemas import InvariantState
from memos.kit.doors import tenant_ids
from memos.kit.errors import MemosError
from memos.kit.schema import Answer
from memos.outbox import store as outbox
from memos.outbox.schedule import Schedule
from memos.runtime import Runtime

router = APIRouter(tags=["health"])
CHECK_TIMEOUT_S = 3.0


class Health(Answer):
    status: Literal["ok"]
    version: str


class Check(Answer):
    model_config = ConfigDict(extra="allow")

    ok: bool


class Readiness(Answer):
    status: Literal["ready", "not_ready"]
    version: str
    checks: dict[str, Check] = Field(description="What a turn needs; one that is not ok says why.")


class JobCounts(Answer):
    queued: int
    running: int
    failed: int
    oldest_age_s: float = Field(description="Age of the oldest job that is queued or running.")


class ScheduleState(Answer):
    """What runs by itself, and how its last run ended."""

    name: str
    task: str
    every_s: float
    runs: int
    last_at: datetime | None = Field(description="When it was last queued; at first, when it was first seen.")
    next_at: datetime | None = Field(description="From when on it is queued again, once its job has ended.")
    status: Literal["waiting", "queued", "running", "done", "failed"] = Field(
        description="Of its job; waiting: it has not been due yet."
    )
    ended_at: datetime | None
    error: str | None = Field(description="The code of its job's last error.")
    job_id: str | None


class Stats(Answer):
    jobs: JobCounts
    turns_in_flight: int = Field(description="Turns that this process is answering.")
    embedder: EmbedderStatus = Field(description="Who embeds memories, and whether all of them are searched by it.")
    schedules: list[ScheduleState]
    invariants: list[InvariantState]


@router.get("/healthz", responses=problems(always=WITHOUT_KEY))
async def healthz() -> Health:
    """The process lives."""
    return Health(status="ok", version=memos.__version__)


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"description": "A turn cannot be taken now.", "model": Readiness}, **problems(always=WITHOUT_KEY)},
)
async def readyz(request: Request, runtime: RuntimeDep) -> Response:
    """A turn can be taken: the database answers, the generator answers, the relay runs."""
    database, generator = await asyncio.gather(_check(tenant_ids(runtime.database)), _check(_generator(runtime)))
    checks = {"database": database, "generator": generator}
    background = request.app.state.background
    if background is not None:
        checks["relay"] = background.status()
    children = request.app.state.children
    if children is not None:
        checks["processes"] = {"ok": True, "detail": children()}
    ready = all(check["ok"] for check in checks.values())
    body = {"status": "ready" if ready else "not_ready", "version": memos.__version__, "checks": checks}
    return JSONResponse(body, 200 if ready else 503, None if ready else {"Retry-After": "1"})


@router.get("/metrics", response_class=PlainTextResponse, responses={**problems(always=WITHOUT_KEY)})
async def metrics(runtime: RuntimeDep) -> Response:
    """Prometheus text. No key: it holds no ids and no text."""
    return Response(runtime.metrics.exposition(), media_type=CONTENT_TYPE_LATEST)


@router.get("/v1/stats", responses=problems())
async def stats(runtime: RuntimeDep, caller: Reader) -> Stats:
    """The queue, what runs by itself, what must always be true, and what this process is doing."""
    async with runtime.database.unit_of_work(caller.tenant_id) as work:
        jobs = JobCounts(**await outbox.counts(work))
        rows = await outbox.schedules(work)
        found = await invariants.report(work)
    schedules = [_schedule(wanted, rows.get(name)) for name, wanted in sorted(runtime.schedules.items())]
    return Stats(
        jobs=jobs,
        turns_in_flight=runtime.turns.running,
        embedder=await runtime.embedders.status(caller.tenant_id),
        schedules=schedules,
        invariants=found,
    )


def _schedule(wanted: Schedule, row: RowMapping | None) -> ScheduleState:
    last_at = row["last_at"] if row else None
    return ScheduleState(
        name=wanted.name,
        task=wanted.task,
        every_s=wanted.every_s,
        runs=row["runs"] if row else 0,
        last_at=last_at,
        next_at=last_at + timedelta(seconds=wanted.every_s) if last_at else None,
        status=(row["status"] if row else None) or "waiting",
        ended_at=row["done_at"] if row else None,
        error=row["error"] if row else None,
        job_id=row["job_id"] if row else None,
    )


async def _generator(runtime: Runtime) -> dict[str, Any]:
    return await runtime.generator.health()


async def _check(probe: Awaitable[Any]) -> dict[str, Any]:
    began = time.perf_counter()
    try:
        detail = await asyncio.wait_for(probe, CHECK_TIMEOUT_S)
    except TimeoutError:
        return {"ok": False, "code": "timeout", "detail": f"no answer in {CHECK_TIMEOUT_S} s"}
    except MemosError as error:
        return {"ok": False, "code": error.code, "detail": error.message, "hint": error.hint}
    found = {"detail": detail} if isinstance(detail, dict) else {}
    return {"ok": True, "latency_ms": round((time.perf_counter() - began) * 1000, 2), **found}
