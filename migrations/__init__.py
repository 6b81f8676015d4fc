"""The schema's only truth: ordered migrations, run under an advisory lock with lock and statement timeouts."""
