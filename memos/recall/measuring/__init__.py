"""How well recall finds what a question needs, on questions whose evidence is known: `memos bench recall`."""
