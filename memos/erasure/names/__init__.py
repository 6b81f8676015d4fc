"""Where a user's name stands beside no conversation and no cube."""
