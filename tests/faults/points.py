"""Named crash points: places in the real code where a process can be made to kill itself with -9.

`tests.faults.process` wraps the real functions before it runs the real program; nothing of this is on the production
path. A point fires when a file, named by MEMOS_TEST_CRASH, arms it: `<point> <passes>`. Whoever renames the file
first fires, so one arming is one death.
"""

import functools
import importlib
import inspect
import os
import signal
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

VARIABLE = "MEMOS_TEST_CRASH"
Process = Literal["api", "worker", "model", "migration"]


@dataclass(frozen=True)
class Point:
    """Dies when the named function (`name` or `Class.name`) begins, or has returned; `found`: has returned something.
    `process`: which programs pass it; `worker` is whatever process runs the relay and the tasks."""

    process: Process
    module: str
    function: str
    when: Literal["begins", "returned", "found"]
    means: str


_TURNS, _ADVANCE, _OUTBOX = "memos.turns.service", "memos.turns.advance", "memos.outbox.store"
_MODEL, _RUNNER = "memos.generation.in_process", "migrations.runner"
_ROWS: tuple[tuple[str, Point], ...] = (
    ("accept_committed", Point("api", _TURNS, "TurnService._take", "begins", "the turn is accepted, and no more")),
    ("state_pinned", Point("api", _TURNS, "TurnService._generate", "begins", "the state to read is chosen")),
    ("token_streamed", Point("api", "memos.turns.run", "TurnRun.say", "returned", "in the middle of an answer")),
    ("generated", Point("api", _TURNS, "TurnService._answer", "begins", "the answer is whole, in memory only")),
    ("answer_uncommitted", Point("api", _OUTBOX, "record", "returned", "every row of the answer waits for the commit")),
    ("answer_committed", Point("api", _TURNS, "TurnService._answer", "returned", "durable, and the client unaware")),
    ("lapsed_uncommitted", Point("worker", "memos.turns.store", "fail_lapsed", "found", "the reaper is not committed")),
    ("jobs_claimed", Point("worker", "memos.outbox.relay", "claim_jobs", "found", "leased and not yet dispatched")),
    ("job_taken", Point("worker", _ADVANCE, "AdvanceTask.__call__", "begins", "the job's lease is taken over")),
    ("blob_recorded", Point("worker", _ADVANCE, "AdvanceTask._compute", "begins", "the blob's row exists, no blob")),
    ("state_stored", Point("worker", _ADVANCE, "AdvanceTask._commit", "begins", "the blob exists, no version does")),
    ("version_uncommitted", Point("worker", _OUTBOX, "done_for_turns", "returned", "the version waits for the commit")),
    ("version_committed", Point("worker", _ADVANCE, "AdvanceTask._commit", "returned", "the version is durable")),
    ("job_settling", Point("worker", _OUTBOX, "settle", "returned", "the job's end waits for the commit")),
    ("model_asked", Point("model", _MODEL, "InProcessGenerator._resolve", "begins", "the model has a request")),
    (
        "state_computing",
        Point("model", "memos.generation.echo", "EchoEngine.advance", "returned", "a state is computed"),
    ),
    ("blob_unwritten", Point("model", _MODEL, "InProcessGenerator._write", "begins", "the state is in memory only")),
    ("blob_written", Point("model", _MODEL, "InProcessGenerator._write", "returned", "durable, and nobody knows")),
    ("roles_made", Point("migration", _RUNNER, "_ensure_roles", "returned", "the roles exist, no table does")),
    (
        "schema_uncommitted",
        Point(
            "migration", "alembic.runtime.migration", "HeadMaintainer.update_to_step", "begins", "tables uncommitted"
        ),
    ),
    ("schema_committed", Point("migration", _RUNNER, "_migrate", "returned", "committed, and the lock is held")),
)
POINTS: dict[str, Point] = dict(_ROWS)


def points_of(*processes: Process) -> list[str]:
    return [name for name, point in POINTS.items() if point.process in processes]


def install(*processes: Process) -> None:
    """Wraps the functions of the points of these processes, in this process."""
    armed = Path(os.environ[VARIABLE])
    for name in points_of(*processes):
        point = POINTS[name]
        owner: Any = importlib.import_module(point.module)
        *classes, function = point.function.split(".")
        for attribute in classes:
            owner = getattr(owner, attribute)
        setattr(owner, function, _wrapped(getattr(owner, function), functools.partial(_pass, name, armed), point))


def _wrapped(real: Callable[..., Any], pass_point: Callable[[], None], point: Point) -> Callable[..., Any]:
    def ends(result: Any) -> None:
        if point.when == "returned" or (point.when == "found" and result):
            pass_point()

    if inspect.iscoroutinefunction(real):

        @functools.wraps(real)
        async def wrapped(*arguments: Any, **named: Any) -> Any:
            if point.when == "begins":
                pass_point()
            result = await real(*arguments, **named)
            ends(result)
            return result

    else:

        @functools.wraps(real)
        def wrapped(*arguments: Any, **named: Any) -> Any:
            if point.when == "begins":
                pass_point()
            result = real(*arguments, **named)
            ends(result)
            return result

    return wrapped


def arm(file: Path, name: str, passes: int = 1) -> None:
    """The `passes`-th pass of the point from now on is the last thing its process does."""
    draft = file.with_suffix(".draft")
    draft.write_text(f"{name} {passes}")
    draft.rename(file)


def disarm(file: Path) -> bool:
    """False if it had fired."""
    try:
        file.unlink()
    except FileNotFoundError:
        return False
    return True


def fired(file: Path) -> Path:
    """Where the file goes when its point fires."""
    return file.with_suffix(".fired")


def _pass(name: str, armed: Path) -> None:
    try:
        wanted, left = armed.read_text().split()
    except (FileNotFoundError, ValueError):
        return
    if wanted != name:
        return
    if int(left) > 1:
        arm(armed, name, int(left) - 1)
        return
    try:
        armed.rename(fired(armed))
    except FileNotFoundError:
        return  # another process was faster
    os.kill(os.getpid(), signal.SIGKILL)
