"""The fenced blocks of a page, and how each is run.

    ```bash      in one shell per page: variables and functions of one block are there in the next
    ```python    a program of its own
    ```console   a command after `$`, what is typed into it after `>`, and lines that its output must hold
    ```text      and every other: not run

A block that cannot run where tests run has a comment before it, with the reason: `<!-- not run: why -->`.
"""

import re
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

RUN = ("bash", "python", "console")
# Languages that a page may show without their being run: they are no commands.
SHOWN = ("text", "json", "toml", "yaml", "sql", "mermaid", "")
_BLOCK = re.compile(r"(?:<!-- not run: (?P<why>.*?) -->\s*\n)?^```(?P<kind>\w*)[^\n]*\n(?P<text>.*?)^```", re.M | re.S)
TIMEOUT_S = 100


@dataclass(frozen=True)
class Block:
    page: str
    line: int
    kind: str
    text: str
    not_run: str | None

    def __str__(self) -> str:
        return f"{self.page}:{self.line} ({self.kind})"


def blocks_of(page: str, markdown: str) -> Iterator[Block]:
    for found in _BLOCK.finditer(markdown):
        line = markdown.count("\n", 0, found.start("kind")) + 1
        yield Block(page, line, found["kind"], found["text"], found["why"])


class Failed(AssertionError):
    """A block did not do what its page says."""


class Desk:
    """Where a page's blocks run, in order."""

    def __init__(self, folder: Path, environment: Mapping[str, str], replace: Mapping[str, str]) -> None:
        self._folder = folder
        self._environment = dict(environment)
        self._replace = replace
        self._kept = folder / ".kept"

    def run(self, block: Block) -> str:
        """What it printed. Raises Failed."""
        text = block.text
        for old, new in self._replace.items():
            text = text.replace(old, new)
        return {"bash": self._bash, "python": self._python, "console": self._console}[block.kind](block, text)

    def _bash(self, block: Block, text: str) -> str:
        before = f"source {self._kept}\n" if self._kept.exists() else ""
        after = f"\n{{ declare -p; declare -f; }} > {self._kept}.new 2>/dev/null\n"
        script = f"{before}set -eu -o pipefail\n{text}{after}"
        out = self._call(block, ["bash", "-c", script])
        # What the shell will not have set again.
        fixed = re.compile(
            r"^declare -\S*r|^declare -\S+ (?:BASH|DIRSTACK|FUNCNAME|GROUPS|PIPESTATUS|_=|SHLVL|PWD|OLDPWD)"
        )
        kept = [line for line in Path(f"{self._kept}.new").read_text().splitlines() if not fixed.match(line)]
        self._kept.write_text("\n".join(kept) + "\n")
        return out

    def _python(self, block: Block, text: str) -> str:
        return self._call(block, ["python", "-c", text])

    def _console(self, block: Block, text: str) -> str:
        command, *rest = text.splitlines()
        if not command.startswith("$ "):
            raise Failed(f"{block}: the first line of a console block is the command")
        typed = "".join(f"{line[2:]}\n" for line in rest if line.startswith("> "))
        out = self._call(block, ["bash", "-c", command[2:]], typed)
        for line in (line for line in rest if not line.startswith("> ") and line.strip()):
            if line not in out:
                raise Failed(f"{block}: {line!r} is not said\n{out}")
        return out

    def _call(self, block: Block, command: list[str], typed: str = "") -> str:
        done = subprocess.run(
            command, cwd=self._folder, env=self._environment, input=typed, capture_output=True, text=True,
            timeout=TIMEOUT_S, check=False,
        )  # fmt: skip
        if done.returncode:
            raise Failed(
                f"{block} ended with {done.returncode}\n{block.text}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
            )
        return done.stdout
