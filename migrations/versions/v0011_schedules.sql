-- Schedules of what runs by itself, and what the invariants found.
SELECT 1;
