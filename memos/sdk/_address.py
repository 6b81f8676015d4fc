"""Where the service is and which key to show. Strongest first: arguments, MEMOS_URL and MEMOS_API_KEY, the embedded
service of a data directory on this machine.

The embedded admin key is read only for the embedded service's own address: it never travels to another one.
"""

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from memos.sdk.errors import NotConfiguredError

DEFAULT_DATA_DIR = "memos-data"


@dataclass(frozen=True, slots=True)
class Address:
    """A service and how it was found."""

    url: str
    api_key: str | None = field(repr=False)
    url_from: str
    api_key_from: str | None


def resolve(
    url: str | None = None,
    api_key: str | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Address:
    """The address in force. Raises NotConfiguredError when there is none."""
    env = os.environ if environ is None else environ
    folder = Path(data_dir or env.get("MEMOS_DATA_DIR") or DEFAULT_DATA_DIR)
    found_url, url_from = (url, "argument") if url else (env.get("MEMOS_URL") or None, "MEMOS_URL")
    embedded_url = _embedded_url(folder)
    if found_url is None:
        if embedded_url is None:
            raise NotConfiguredError(
                f"no memos service was found: no url given, MEMOS_URL unset, and none runs on {folder.absolute()}",
                hint="Start one with `make run` or `memos serve`, or set MEMOS_URL and MEMOS_API_KEY.",
            )
        found_url, url_from = embedded_url, str(folder / "service.json")
    found_url = found_url.rstrip("/")
    if not _is_address(found_url):
        raise NotConfiguredError(
            f"{found_url!r} (from {url_from}) is not an address",
            hint="Give it as http://HOST:PORT or https://HOST.",
        )
    key, key_from = _key(api_key, env, folder if found_url == embedded_url else None)
    return Address(found_url, key, url_from, key_from)


def _is_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False  # an unfinished IPv6 address, or a port that is no number


def _key(argument: str | None, env: Mapping[str, str], embedded: Path | None) -> tuple[str | None, str | None]:
    if argument:
        return argument.strip(), "argument"
    if env.get("MEMOS_API_KEY"):
        return env["MEMOS_API_KEY"].strip(), "MEMOS_API_KEY"
    if embedded is None:
        return None, None
    path = embedded / "admin.key"
    try:
        return path.read_text().strip(), str(path)
    except FileNotFoundError:
        return None, None
    except PermissionError as error:
        raise NotConfiguredError(
            f"{path} belongs to another user", hint="Run as the user that serves, or set MEMOS_API_KEY."
        ) from error


def _embedded_url(data_dir: Path) -> str | None:
    """The address in service.json, if the process that wrote it still lives."""
    try:
        service = json.loads((data_dir / "service.json").read_text())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except PermissionError as error:
        raise NotConfiguredError(
            f"{data_dir / 'service.json'} belongs to another user",
            hint="Run as the user that serves, or set MEMOS_URL and MEMOS_API_KEY.",
        ) from error
    except ValueError:
        return None  # a power cut may leave the file empty; then its writer is not alive either
    if not isinstance(service, dict) or not isinstance(service.get("url"), str):
        return None
    return service["url"].rstrip("/") if _alive(service.get("pid"), service.get("started")) else None


def _alive(pid: object, started: object) -> bool:
    """A pid alone is not enough: another process may have it today. Linux tells (boot id, start tick); elsewhere the
    file is taken at its word, and a connection error tells the rest."""
    if not isinstance(pid, int) or not Path("/proc/self/stat").exists():
        return isinstance(pid, int)
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(errors="replace").rpartition(")")[2].split()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return fields[0] not in "ZX" and started in (None, f"{boot}:{fields[19]}")
