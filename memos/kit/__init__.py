"""Plumbing without business rules: configuration, errors, ids, database, blobs. Nothing here knows what a turn is."""
