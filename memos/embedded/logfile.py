"""The output of one child, in a file that stays small: past a bound it becomes the one older file.

The child goes on writing to the file it was given, so the content is copied and cut, never renamed; lines written
during the copy may be lost, which is why nothing but diagnosis may depend on this file.
"""

import os
import shutil
from pathlib import Path
from typing import IO

BOUND_BYTES = 8_000_000
TAIL_LINES = 15


class ChildLog:
    """Opened by us and handed down: the user that runs a child may not write in the data directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0

    def open(self) -> IO[bytes]:
        """For the next process; `tail` speaks of what is written from here on."""
        self.trim()
        file = os.fdopen(os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab")
        self._start = file.seek(0, os.SEEK_END)
        return file

    def trim(self) -> None:
        """Applies the bound. Call it now and then."""
        if self.path.exists() and self.path.stat().st_size > BOUND_BYTES:
            shutil.copy(self.path, self.path.with_name(f"{self.path.name}.1"))
            os.truncate(self.path, 0)
            self._start = 0

    def tail(self) -> str:
        """The last lines of the present process."""
        if not self.path.exists():
            return f"{self.path} was never written."
        with self.path.open("rb") as file:
            file.seek(self._start)
            lines = file.read().decode(errors="replace").splitlines()[-TAIL_LINES:]
        return "\n".join([f"The last lines of {self.path}:", *lines])
