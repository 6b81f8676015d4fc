"""A command that runs in the process of the service it asks must have stdout for itself."""

from tests.cli.conftest import logs_apart

__all__ = ["logs_apart"]
