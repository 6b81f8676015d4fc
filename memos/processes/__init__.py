"""Which processes serve now, and what each has heard of: the one way to know that nobody holds what was erased."""
