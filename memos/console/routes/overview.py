"""The first page: is it well, what waits, what must always be true, and how it grows."""

import json
from datetime import UTC, date, datetime, timedelta
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response

from memos.console import charts, store, words
from memos.console.pages import show
from memos.console.routing import ConsoleRoute
from memos.console.session import PATH
from memos.console.visitor import Visiting, Visitor
from memos.http.routes import health

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)
DAYS = 30
RECENT = 60
NOUNS = ("turns", "conversations", "memories", "versions")


@router.get("")
async def overview(request: Request, visitor: Visiting) -> Response:
    now = datetime.now(UTC)
    since = (now - timedelta(days=DAYS - 1)).replace(hour=0, minute=0, second=0, microsecond=0)
    async with visitor.runtime.database.unit_of_work(visitor.principal.tenant_id) as work:
        growth = await store.growth(work, since)
        holdings = await store.holdings(work)
        recent = await store.recent_turns(work, since, RECENT)
    days = [since.date() + timedelta(days=offset) for offset in range(DAYS)]
    grown = [(noun, *_grown(noun, growth[noun], days)) for noun in NOUNS]
    held: dict[str, dict[str, int]] = {}
    for row in holdings:
        held.setdefault(row["kind"], {})[row["lifecycle"]] = row["count"]
    return show(request, "overview.html", grown=grown, held=held, **_spent(recent), **await _state(request, visitor))


@router.get("/now")
async def live(request: Request, visitor: Visiting) -> Response:
    """The part that changes by itself; asked for again every few seconds."""
    return show(request, "_now.html", **await _state(request, visitor))


async def _state(request: Request, visitor: Visitor) -> dict[str, Any]:
    readiness = json.loads(bytes((await health.readyz(request, visitor.runtime)).body))
    return {"readiness": readiness, "stats": await visitor.call(health.stats)}


def _grown(noun: str, by_day: dict[date, int], days: list[date]) -> tuple[int, Any]:
    marks = [
        charts.Bar(by_day.get(day, 0), f"{day:%a %d %b}: {words.count(by_day.get(day, 0))} {noun}") for day in days
    ]
    total = sum(bar.value for bar in marks)
    return int(total), charts.bars(marks, f"{noun} on each of the last {len(days)} days, {words.count(total)} in all")


def _spent(recent: Any) -> dict[str, Any]:
    """How long the newest turns took, the oldest of them first."""
    bars = []
    for turn in reversed(recent):
        spent = sum(turn["timings_ms"].values())
        if turn["status"] in ("answered", "applied") and spent:
            bars.append(charts.Bar(spent, f"turn {turn['seq']} of {turn['user_id']}: {words.span(spent / 1000)}"))
    ordered = sorted(bar.value for bar in bars)
    median = ordered[len(ordered) // 2] if ordered else None
    said = f"how long each of the last {len(bars)} answers took"
    return {"latency": charts.bars(bars, said) if bars else None, "median_ms": median, "timed": len(bars)}
