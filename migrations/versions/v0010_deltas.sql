-- Parameter cubes: distillation runs and where their deltas are mounted.
SELECT 1;
