"""Trains deltas in a process of its own, beside the one that serves and at low priority.

Notable choices
* A run has a folder: its lesson, its saves, its result. It goes when the run has ended or was given up; only a worker
  that was killed leaves one behind, and the next call for the same run goes on from it. What nobody calls for is swept
  away after an hour, or when the worker is told to forget.
* A child that was killed is started again from its last save, a few times: then something else is wrong.
* Nothing of torch is imported here.
"""

import json
import os
import shutil
import subprocess
import sys
import threading
import time
from collections.abc import Generator
from pathlib import Path
from typing import Any

import structlog

from memos.embedded.spawn import spawn
from memos.generation.distiller import Lesson, Trained
from memos.generation.engine import StateRejected
from memos.generation.port import ModelUnavailable, NothingToTeach
from memos.kit.blobs import sha256_hex

LOG = structlog.get_logger(__name__)
STARTS = 4
POLL_S = 0.25
SWEPT_AFTER_S = 3600.0
FILES = JOB, DELTA, RESULT, PROGRESS = "job.json", "delta.safetensors", "result.json", "progress"


class ProcessDistiller:
    """Fits `memos.generation.distiller.Distiller`. `options` are those of `python -m models.training.distil`."""

    def __init__(self, root: Path, options: list[str]) -> None:
        self._root = root
        self._options = options
        self._lock = threading.Lock()
        self._active: set[str] = set()

    def train(self, lesson: Lesson) -> Generator[int, None, Trained]:
        with self._lock:
            self._active.add(lesson.run_id)
        folder = self._root / lesson.run_id
        try:
            self._sweep(SWEPT_AFTER_S)
            _prepare(folder, lesson)
            for start in range(STARTS):
                code = yield from self._attempt(folder)
                if code in (0, 1) and (folder / RESULT).exists():
                    return _outcome(folder)
                LOG.warning("distil.child_ended", run_id=lesson.run_id, code=code, start=start)
            raise ModelUnavailable(f"the training ended {STARTS} times before it was done", retry_after_s=60.0)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
            with self._lock:
                self._active.discard(lesson.run_id)

    def forget(self) -> None:
        """Removes what no training is at."""
        self._sweep(0.0)

    def _attempt(self, folder: Path) -> Generator[int, None, int]:
        """One child until it ends; its exit code."""
        with (folder / "log").open("ab") as log:
            command: list[str | Path] = [sys.executable, "-m", "models.training.distil", folder, *self._options]
            child = spawn(command, env=os.environ, output=log, cwd=Path.cwd())
        try:
            while True:
                yield _step(folder)
                try:
                    return child.wait(POLL_S)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if child.poll() is None:
                child.kill()
                child.wait()

    def _sweep(self, older_than_s: float) -> None:
        with self._lock:
            active = set(self._active)
        folders = list(self._root.iterdir()) if self._root.exists() else []
        for folder in folders:
            try:
                idle_s = time.time() - max(path.stat().st_mtime for path in (folder, *folder.iterdir()))
            except FileNotFoundError:
                continue  # gone meanwhile
            if folder.name not in active and idle_s >= older_than_s:
                shutil.rmtree(folder, ignore_errors=True)


def _prepare(folder: Path, lesson: Lesson) -> None:
    """The lesson in its folder. One that is there already is gone on with, if it is the same."""
    sources: list[dict[str, Any]] = []
    payloads: dict[str, bytes] = {}
    for source in lesson.sources:
        if isinstance(source, str):
            sources.append({"text": source})
        else:
            name = f"state-{sha256_hex(source)}.safetensors"
            payloads[name] = source
            sources.append({"state": name})
    wanted = json.dumps({"sources": sources, "rank": lesson.rank, "steps": lesson.steps, "seed": lesson.seed})
    job = folder / JOB
    if job.exists() and job.read_text() == wanted:
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True, mode=0o700)
    for name, payload in payloads.items():
        (folder / name).write_bytes(payload)
    fresh = folder / f"{JOB}.new"
    fresh.write_text(wanted)
    fresh.replace(job)


def _step(folder: Path) -> int:
    try:
        return int((folder / PROGRESS).read_text())
    except (FileNotFoundError, ValueError):
        return 0


def _outcome(folder: Path) -> Trained:
    result = json.loads((folder / RESULT).read_text())
    if "code" not in result:
        return Trained((folder / DELTA).read_bytes(), result["figures"])
    if result["code"] == NothingToTeach.code:
        raise NothingToTeach(result["detail"])
    raise StateRejected(result["detail"], result["fields"])
