-- Retention policies and their decisions; consolidation runs.
SELECT 1;
