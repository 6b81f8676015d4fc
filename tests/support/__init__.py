"""Real parts for tests: a real Postgres, the real API over HTTP, writers that keep a log."""
