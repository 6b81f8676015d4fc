"""docs/cli.md describes every command and every option, and nothing that does not exist."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from memos.cli.main import app

PAGE = (Path(__file__).parents[2] / "docs/cli.md").read_text()
SHARED = ("--json", "--url", "--key", "--data-dir")
OF_EVERY_PROGRAM = {"--help"}
# These talk to no service.
OWN_OPTIONS = ("memos serve", "memos train", "memos bench rxt", "memos bench recall", "memos bench store")


def commands(command: Any, name: str) -> Iterator[tuple[str, Any]]:
    inner = getattr(command, "commands", {})
    # A group that does something by itself is a command too: `memos jobs`.
    if not inner or (command.invoke_without_command and command.params and name != "memos"):
        yield name, command
    for word, sub in inner.items():
        yield from commands(sub, f"{name} {word}")


COMMANDS = dict(commands(get_command(app), "memos"))
SECTIONS = dict(re.findall(r"^## (memos [^\n]+)\n(.*?)(?=^##? |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def test_the_commands_are_those_of_the_page() -> None:
    assert set(SECTIONS) == set(COMMANDS)
    assert len(COMMANDS) >= 15


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_options_are_those_of_the_page(name: str) -> None:
    options = {word for param in COMMANDS[name].params for word in param.opts if word.startswith("--")}
    if name not in OWN_OPTIONS:
        assert set(SHARED) <= options, "every other command takes the shared options"
        options -= set(SHARED)
    assert set(re.findall(r"^\| `(--[a-z-]+)", SECTIONS[name], re.MULTILINE)) == options - OF_EVERY_PROGRAM


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_and_option_says_what_it_is(name: str) -> None:
    command = COMMANDS[name]
    assert command.help
    for param in command.params:
        if param.param_type_name == "option":
            assert param.help, f"{param.name} has no help"
        else:
            assert param.metavar in SECTIONS[name]


def test_the_shared_options_are_described_once() -> None:
    shared = PAGE.split("## memos serve")[0]
    for option in SHARED:
        assert f"| `{option}" in shared


def test_the_example_of_the_client_runs() -> None:
    block = re.search(r"```python\n(.*?)```", PAGE, re.DOTALL)
    assert block is not None
    compile(block[1], "docs/cli.md", "exec")
    names = re.search(r"from memos.sdk import (.*)", block[1])
    assert names is not None
    import memos.sdk

    assert set(names[1].split(", ")) <= set(memos.sdk.__all__)
