"""What tests that look at every route ask of the console's: they are pages of HTML, in no document, and have tests of
their own in tests/browser."""

from memos.console.session import PATH


def of_the_console(path: str) -> bool:
    return path == PATH or path.startswith(f"{PATH}/")
