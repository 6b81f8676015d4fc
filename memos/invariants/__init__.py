"""What must always be true of what is stored, looked at by a schedule: see `registry`."""
