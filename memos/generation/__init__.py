"""The port to whoever generates: the contract, its clients, and a deterministic fake that is shipped."""
