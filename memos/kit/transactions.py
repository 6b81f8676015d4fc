"""Whether this task holds a database transaction open. Apart from the unit of work so that the model worker, which
opens none, need not load a database library to be able to say so.
"""

from contextvars import ContextVar

OPEN: ContextVar[int] = ContextVar("memos_open_transactions", default=0)


def assert_no_open_transaction() -> None:
    """Raises if this task holds a transaction open: a model may take seconds, a row lock must not (law 4)."""
    if OPEN.get():
        raise RuntimeError("a model was asked to compute inside a database transaction")
