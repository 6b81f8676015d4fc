"""The console script. It says what to install where the packages of the command line are missing: the base install is
the Python client alone.
"""

import importlib.util
import sys

NEEDED = ("typer", "rich", "pydantic_settings")


def main() -> None:
    missing = [name for name in NEEDED if importlib.util.find_spec(name) is None]
    if missing:
        sys.exit(f"the command line needs {', '.join(missing)}: pip install 'memos[cli]', or 'memos[all]' to serve")
    from memos.cli.main import app

    app()
