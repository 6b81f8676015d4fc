"""Memories as applications know them: texts that are written durably, found again, changed, and kept apart by owner.

A memory is a plaintext cube under its everyday name. Writing goes through `memos.cubes.bulk`; searching through indexes
in this process (`memos.recall`) that follow the database by the revisions of scopes (migration 0012).
"""
