"""Recall: which memories answer a question. The index of one scope, in the memory of the process that serves."""
