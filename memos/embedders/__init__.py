"""The embedding models of memories: which one is in force, which one each scope's index uses, and how a scope goes from
one to another while it is searched.
"""
