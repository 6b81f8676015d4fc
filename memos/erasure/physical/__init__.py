"""The physical stage: the bytes of rows that are gone leave tables, indexes, statistics and the write-ahead log."""
