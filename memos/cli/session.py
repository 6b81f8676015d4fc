"""One run of one command: the client it talks through, and how it prints. Results go to stdout, everything else
(progress, hints, errors) to stderr, so that `--json` is all that stands on stdout.

Refuses to hand text to the terminal unfiltered: memory is somebody's text and could hold escape sequences.
"""

import json
import sys
import threading
import unicodedata
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from memos.kit.errors import MemosError as ServiceError

if TYPE_CHECKING:
    from pydantic import BaseModel
    from rich.console import Console, RenderableType

    from memos.sdk import Memos

WORTH_SHOWING_S = 1.0
UNBOUNDED_COLUMNS = 1000  # a pipe has no width: nothing is folded for it


def printable(text: str) -> str:
    """The text without control characters, newline and tab excepted."""
    return "".join(c if c in "\n\t" or unicodedata.category(c) != "Cc" else "\N{REPLACEMENT CHARACTER}" for c in text)


class Session:
    """What every command is given."""

    def __init__(self, url: str | None, api_key: str | None, data_dir: Path | None, as_json: bool) -> None:
        self.url = url
        self.api_key = api_key
        self.data_dir = data_dir
        self.as_json = as_json
        self.indent: int | None = 2  # None: one JSON value per line

    # -- the service ---------------------------------------------------------------------------------------------

    @cached_property
    def client(self) -> "Memos":
        from memos.sdk import Memos

        return Memos(self.url, self.api_key, data_dir=self.data_dir)

    def close(self) -> None:
        if "client" in self.__dict__:
            self.client.close()

    def waiting(self, what: str) -> "Waiting":
        """Shows on a terminal what is being waited for, once that takes over a second."""
        return Waiting(self.err, what)

    # -- printing ------------------------------------------------------------------------------------------------

    @cached_property
    def out(self) -> "Console":
        return _console(stderr=False)

    @cached_property
    def err(self) -> "Console":
        return _console(stderr=True)

    def emit(self, value: "BaseModel | dict[str, Any]", render: "Callable[[], RenderableType]") -> None:
        """Prints a result: as JSON, or as `render` makes it for people."""
        if self.as_json:
            self.emit_json(value)
        else:
            self.out.print(render())

    def emit_items(self, items: "Iterable[BaseModel]", render: "Callable[[list[Any]], RenderableType]") -> None:
        """Prints a list: as `{"items": [...]}`, or as `render` makes it for people."""
        with self.waiting("reading the list"):
            listed = list(items)
        self.emit({"items": [item.model_dump(mode="json") for item in listed]}, lambda: render(listed))

    def emit_json(self, value: "BaseModel | dict[str, Any]") -> None:
        plain = value if isinstance(value, dict) else value.model_dump(mode="json")
        print(json.dumps(plain, indent=self.indent, ensure_ascii=False), flush=True)

    def say(self, line: str) -> None:
        """A remark beside the result."""
        print(printable(line), file=sys.stderr, flush=True)

    def refuse(self, error: Exception) -> None:
        """Prints an error as code, detail and hint."""
        described = describe(error)
        if self.as_json:
            print(json.dumps(described, ensure_ascii=False), file=sys.stderr, flush=True)
            return
        self.say(f"error: {described['code']}: {described['detail']}")
        if described["hint"]:
            self.say(f"hint:  {described['hint']}")
        if described["request_id"]:
            self.say(f"       (request {described['request_id']})")


def describe(error: Exception) -> dict[str, Any]:
    """An error of the SDK or of the service's own code as plain values."""
    code = error.code if isinstance(error, ServiceError) else getattr(error, "code", "internal")
    return {
        "code": code,
        "detail": getattr(error, "message", str(error)),
        "hint": getattr(error, "hint", None),
        "status": None if isinstance(error, ServiceError) else getattr(error, "status", None),
        "request_id": getattr(error, "request_id", None),
    }


class Waiting:
    """A spinner on stderr that appears only after a second. `stop` ends it early, for output that begins to come."""

    def __init__(self, console: "Console", what: str) -> None:
        self._console = console
        self._what = what
        self._lock = threading.Lock()
        self._stopped = False
        self._status: Any = None
        self._timer = threading.Timer(WORTH_SHOWING_S, self._show)
        self._timer.daemon = True

    def __enter__(self) -> "Waiting":
        if self._console.is_terminal:
            self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        self._timer.cancel()
        with self._lock:
            self._stopped = True
            if self._status is not None:
                self._status.stop()
                self._status = None

    def _show(self) -> None:
        with self._lock:
            if not self._stopped:
                self._status = self._console.status(f"{self._what} ...")
                self._status.start()


@contextmanager
def reported(session: Session) -> Iterator[None]:
    """Runs a command: errors end it as code, detail and hint, exit code 1."""
    import typer

    from memos.sdk import MemosError

    try:
        yield
    except (MemosError, ServiceError) as error:
        session.refuse(error)
        raise typer.Exit(1) from error
    except KeyboardInterrupt:
        raise typer.Exit(130) from None
    finally:
        session.close()


def _console(*, stderr: bool) -> "Console":
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    return Console(file=stream, highlight=False, markup=False, width=None if stream.isatty() else UNBOUNDED_COLUMNS)
