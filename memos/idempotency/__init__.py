"""One Idempotency-Key, one effect (P2): a retry gets the stored answer back, byte for byte."""
