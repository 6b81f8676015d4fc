"""The commands, run in this process against a real service over loopback."""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import structlog
from typer.testing import CliRunner

from memos.cli.main import app
from tests.support.live import Live


@dataclass
class Ran:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


Run = Callable[..., Ran]


def invoke(*arguments: object, input: str | None = None, env: dict[str, str] | None = None) -> Ran:
    found = CliRunner().invoke(app, [str(argument) for argument in arguments], input=input, env=env)
    if found.exception is not None and not isinstance(found.exception, SystemExit):
        raise found.exception
    return Ran(found.exit_code, found.stdout, found.stderr)


@pytest.fixture(autouse=True)
def alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No service and no configuration but a test's own."""
    for name in ("MEMOS_URL", "MEMOS_API_KEY", "MEMOS_DATA_DIR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.fixture(autouse=True)
def logs_apart() -> Iterator[None]:
    """The service shares this process here, and its log would land in what a command seems to print."""
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.__stderr__))
    yield
    structlog.reset_defaults()


@pytest.fixture
def run(live: Live, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command against the live service; succeeds unless told otherwise."""
    monkeypatch.setenv("MEMOS_URL", live.url)
    monkeypatch.setenv("MEMOS_API_KEY", live.key)

    def checked(*arguments: object, code: int = 0, **options: Any) -> Ran:
        found = invoke(*arguments, **options)
        assert found.code == code, (found.out, found.err)
        return found

    return checked
