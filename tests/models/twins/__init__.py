"""Slow, obvious twins of the architecture: one conversation, loops over tokens, slots, heads and experts, no batching.

They take the weights of the module they are a twin of, and none of its methods.
"""
