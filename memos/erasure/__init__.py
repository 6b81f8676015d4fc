"""Erasure: what is reached from what is to be forgotten, its removal from every store, and a receipt of it (P6)."""
