"""The configuration in force, setting by setting, and where each value comes from. Secrets are never shown."""

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit, urlunsplit

from memos.cli.doctor.report import Report, Setting
from memos.cli.session import Session

if TYPE_CHECKING:
    from memos.kit.config import Settings

TOML = "memos.toml"
PREFIX = "MEMOS_"
# Read by the client, by the migrations' entry point and by the tests; not settings of the service.
OTHER_VARIABLES = frozenset({"MEMOS_URL", "MEMOS_API_KEY", "MEMOS_APP_PASSWORD"})


def configuration(session: Session, report: Report, environ: Mapping[str, str] = os.environ) -> "Settings | None":
    """The settings, or None when they cannot be used; the report then says why."""
    from pydantic import ValidationError

    from memos.kit.config import Settings

    given = {} if session.data_dir is None else {"data_dir": session.data_dir}
    fix = f"Correct it where it is set: in the environment ({PREFIX}...) or in {TOML}."
    try:
        in_toml = _toml()
        settings = Settings(**given)  # type: ignore[arg-type]
    except tomllib.TOMLDecodeError as error:
        report.add("configuration", "wrong", f"{TOML} is not TOML: {error}", mend=f"Correct {Path(TOML).absolute()}.")
        return None
    except ValidationError as error:
        for one in error.errors():
            name = ".".join(map(str, one["loc"]))
            report.add("configuration", "wrong", f"{name}: {one['msg']}", mend=fix)
        return None
    report.configuration = [
        Setting(name, _shown(getattr(settings, name)), _source(name, given, environ, in_toml))
        for name in Settings.model_fields
    ]
    _unknown_names(report, set(Settings.model_fields), environ, in_toml)
    placement = "embedded: Postgres, model worker and blobs on this machine" if settings.embedded else "distributed"
    report.add("configuration", "ok", f"{len(report.configuration)} settings; placement {placement}")
    return settings


def _toml() -> dict[str, Any]:
    path = Path(TOML)
    return tomllib.loads(path.read_text()) if path.exists() else {}


def _source(name: str, given: Mapping[str, object], environ: Mapping[str, str], in_toml: Mapping[str, Any]) -> str:
    variable = _variable(name, environ)
    if name in given:
        return "argument"
    if variable is not None and environ[variable]:
        return variable
    return TOML if name in in_toml else "default"


def _variable(name: str, environ: Mapping[str, str]) -> str | None:
    """Environment names are read without regard to case."""
    return next((key for key in environ if key.upper() == f"{PREFIX}{name.upper()}"), None)


def _unknown_names(report: Report, known: set[str], environ: Mapping[str, str], in_toml: Mapping[str, Any]) -> None:
    """Nothing reads a misspelt setting, and nobody would notice."""
    variables = {f"{PREFIX}{name.upper()}" for name in known} | OTHER_VARIABLES
    strange = sorted(key for key in environ if key.upper().startswith(PREFIX) and key.upper() not in variables)
    strange += sorted(f"{key} in {TOML}" for key in in_toml if key not in known)
    if strange:
        report.add(
            "configuration", "warning", f"set, but no setting of this version: {', '.join(strange)}",
            mend="Correct the spelling, or remove them.",
        )  # fmt: skip


def _shown(value: Any) -> str:
    if value is None:
        return "unset"
    if hasattr(value, "get_secret_value"):
        return "set, not shown"
    return without_password(str(value))


def without_password(text: str) -> str:
    """An address with its password hidden."""
    if "://" not in text:
        return text
    try:
        parts = urlsplit(text)
        if parts.password is None:
            return text
        place = parts.netloc.rpartition("@")[2]
    except ValueError:
        return "set, but not an address"
    return urlunsplit(parts._replace(netloc=f"{parts.username or ''}:***@{place}"))
