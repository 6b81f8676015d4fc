"""`python -m workers.model`."""

from workers.model.cli import app

if __name__ == "__main__":
    app()
