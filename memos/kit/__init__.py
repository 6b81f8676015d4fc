"""Plumbing without business rules: configuration, errors, ids, database, blobs, logs. Nothing here knows what a turn is."""
