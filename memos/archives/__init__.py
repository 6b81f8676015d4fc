"""One file that holds cubes, conversations or a user's whole memory, and can be taken in elsewhere."""
