"""Indexes of vectors: the port, its variants and their registry."""
