"""What can be seen on this machine without asking anybody: Python, packages, the data directory, the checkpoint."""

import hashlib
import importlib.util
import json
import os
import platform
import re
import shutil
import stat
import sys
from importlib.metadata import PackageNotFoundError, requires, version
from pathlib import Path
from typing import TYPE_CHECKING

from memos.cli.doctor.report import Report

if TYPE_CHECKING:
    from memos.kit.config import Settings

OLDEST_PYTHON = (3, 11)
LEAST_FREE_BYTES = 200_000_000
LITTLE_FREE_BYTES = 1_000_000_000
PRIVATE_FILES = ("secret", "admin.key", "service.json")
EXTRAS = ("server", "models")
REQUIREMENT_NAME = re.compile(r"[A-Za-z0-9._-]+")


def interpreter(report: Report) -> None:
    found = platform.python_version()
    if sys.version_info[:2] < OLDEST_PYTHON:
        report.add("python", "wrong", "too old", version=found, mend="Install Python 3.11 or newer.")
    else:
        report.add("python", "ok", sys.executable, version=found)


def packages(report: Report) -> None:
    """memos itself, then what its extras need. A machine without the extras is a client, which is no fault."""
    own = version("memos")
    folder = importlib.util.find_spec("memos")
    report.add("memos", "ok", str(Path(folder.origin).parent) if folder and folder.origin else "?", version=own)
    for extra in EXTRAS:
        missing = missing_packages(extra)
        if missing:
            report.add(
                f"memos[{extra}]", "skipped", f"not installed here: {', '.join(missing)}",
                mend=f"To serve from this machine: pip install 'memos[{extra}]'.",
            )  # fmt: skip
        else:
            report.add(f"memos[{extra}]", "ok", "installed", version=own)


def missing_packages(extra: str) -> list[str]:
    """The distributions that an extra of memos names and that are not here, or not in the version it is pinned to."""
    missing = []
    for line in requires("memos") or ():
        wanted, _, marker = line.partition(";")
        # A client has no parser of requirements; ours are simple: a name, and for what must fit exactly a pin.
        name = REQUIREMENT_NAME.match(wanted)
        if name is None or name[0] == "memos" or f'extra == "{extra}"' not in marker.replace("'", '"'):
            continue
        pin = wanted.partition("==")[2].strip()
        try:
            found = version(name[0])
        except PackageNotFoundError:
            missing.append(name[0])
            continue
        if pin and found.partition("+")[0] != pin:
            missing.append(f"{name[0]} {pin} (found {found})")
    return missing


def data_directory(report: Report, settings: "Settings") -> None:
    folder = settings.data_dir.absolute()
    if not settings.embedded:
        report.add("data directory", "skipped", "not used: the database is elsewhere")
        return
    if not folder.exists():
        parent = next(parent for parent in folder.parents if parent.exists())
        if os.access(parent, os.W_OK):
            report.add("data directory", "ok", f"{folder} will be made by the first start")
        else:
            report.add(
                "data directory", "wrong", f"{folder} is missing and cannot be made in {parent}",
                mend="Pass a --data-dir that this user may write.",
            )  # fmt: skip
        return
    if not folder.is_dir():
        report.add("data directory", "wrong", f"{folder} is not a folder", mend="Pass another --data-dir.")
        return
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        report.add(
            "data directory", "wrong", f"{folder} belongs to user {folder.stat().st_uid}, and this one may not use it",
            mend="Run as the user that serves, or pass another --data-dir.",
        )  # fmt: skip
        return
    _private(report, folder)
    report.add("data directory", "ok", str(folder))
    _lock(report, folder)


def _private(report: Report, folder: Path) -> None:
    """Whoever can read these files holds every key of the service."""
    for path in (folder, *(folder / name for name in PRIVATE_FILES)):
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            mode, right = stat.S_IMODE(path.stat().st_mode), "700" if path.is_dir() else "600"
            report.add(
                "data directory", "wrong", f"other users can reach {path} (mode {mode:o})",
                mend=f"chmod {right} {path}",
            )  # fmt: skip


def _lock(report: Report, folder: Path) -> None:
    from memos.embedded.datadir import LOCK, SERVICE, read_service

    holder = lock_holder(folder / LOCK)
    service = read_service(folder)
    if holder is not None:
        report.add("data directory lock", "ok", f"held by the service, pid {holder}")
    elif service is not None:
        report.add(
            "data directory lock", "wrong", f"pid {service.pid} serves this folder without holding its lock",
            mend=f"Stop it with `kill {service.pid}` and start it again; do not copy a data directory that is in use.",
        )  # fmt: skip
    elif (folder / SERVICE).exists():
        report.add(
            "data directory lock", "warning", "free, but service.json was left behind: the service was killed",
            mend="Start it again: it recovers by itself.",
        )  # fmt: skip
    else:
        report.add("data directory lock", "ok", "free: no service runs here")


def lock_holder(path: Path) -> int | None:
    """The pid that holds a lock, as the kernel tells. Trying the lock instead could make a service that starts at this
    moment believe that another one runs."""
    try:
        found = path.stat()
        locks = Path("/proc/locks").read_text()
    except FileNotFoundError:
        return None
    wanted = f"{os.major(found.st_dev):02x}:{os.minor(found.st_dev):02x}:{found.st_ino}"
    for line in locks.splitlines():
        fields = line.split()
        # "1: FLOCK ADVISORY WRITE 4242 08:01:131 0 EOF"; a waiting process has "->" before its kind.
        if len(fields) > 5 and fields[1] == "FLOCK" and fields[5] == wanted:
            return int(fields[4])
    return None


def disk_space(report: Report, settings: "Settings") -> None:
    if not settings.embedded and not settings.effective_blob_url.startswith("file:"):
        report.add("disk space", "skipped", "nothing is stored on this machine")
        return
    folder = settings.data_dir.absolute()
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    found = f"{usage.free / 1e9:.1f} GB free of {usage.total / 1e9:.1f} GB below {folder}"
    mend = "Free some space: without it no turn can be stored."
    if usage.free < LEAST_FREE_BYTES:
        report.add("disk space", "wrong", found, mend=mend)
    elif usage.free < LITTLE_FREE_BYTES:
        report.add("disk space", "warning", found, mend=mend)
    else:
        report.add("disk space", "ok", found)


def checkpoint(report: Report, settings: "Settings", *, serving: bool) -> None:
    """The weights that are configured, else those that this installation brings; read, not loaded. A service that
    answers needs no others."""
    if settings.generator != "rxt":
        report.add("checkpoint", "skipped", f"the generator {settings.generator} has none")
        return
    if settings.checkpoint is not None:
        own = sorted(settings.checkpoint.rglob("*.safetensors"))
        if not own:
            report.add(
                "checkpoint", "wrong", f"there are no weights in {settings.checkpoint.absolute()}",
                mend="Name the folder of a checkpoint in MEMOS_CHECKPOINT, or unset it to use the released one.",
            )  # fmt: skip
        for path in own:
            _weights(report, path)
        return
    package = importlib.util.find_spec("models")
    places = [Path(place) / "checkpoints" for place in (package.submodule_search_locations or ())] if package else []
    found = sorted(path for place in places for path in place.rglob("*.safetensors"))
    if not found:
        local = settings.embedded and settings.model_url is None and not missing_packages("models")
        report.add(
            "checkpoint", "wrong" if local and not serving else "skipped",
            "this installation brings no weights" if package else "the package `models` is not installed here",
            mend="Install memos again, from a release; or serve with `--generator echo`.",
        )  # fmt: skip
    for path in found:
        _weights(report, path)


def _weights(report: Report, path: Path) -> None:
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    shown = f"{path.parent.name}/{path.name}, {path.stat().st_size / 1e6:.1f} MB"
    try:
        manifest = json.loads((path.parent / "manifest.json").read_text())
        recorded = manifest["files"][path.name]
    except (OSError, ValueError, KeyError, TypeError) as error:
        report.add(
            "checkpoint", "wrong", f"{shown}: its manifest cannot be read ({type(error).__name__}: {error})",
            version=digest[:12], mend="Install memos again, from a release.",
        )  # fmt: skip
        return
    if digest != recorded:
        report.add(
            "checkpoint", "wrong", f"{shown} differs from its manifest, which says {recorded[:12]}",
            version=digest[:12], mend="Install memos again, from a release: the file was changed or cut short.",
        )  # fmt: skip
    else:
        report.add("checkpoint", "ok", f"{shown}, as its manifest says", version=digest[:12])
