-- Grants on cubes, and the append-only, hash-chained audit log.
SELECT 1;
