"""What builds the documentation: `make docs`. The references are generated from the code, into pages that exist only
while the site is built; everything else is written by hand in `docs`.
"""
