"""First versions of many cubes at once, with all that `memos.cubes.changes.create` promises for one.

The rows are prepared here, off the database's clock: a version's hash is left open at its time. One function of the
database (migration 0012) closes it and writes cubes, versions, events and vectors, so that a thousand memories cost one
round trip and no work per row but their own. What it left out because a living memory says the same already is missing
from the answer.
"""
