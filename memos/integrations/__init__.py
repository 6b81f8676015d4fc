"""Adapters for the frameworks that chat applications are built with. They import the SDK and the package that they
adapt to, and nothing else of memos; each package is an optional extra.
"""
