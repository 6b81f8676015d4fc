"""Neural code of memos: a Reactive Transformer (RxT, arXiv 2510.03561) and a sentence encoder, readable as an essay.

Implemented independently from the papers. Nothing here imports `memos` or `workers`; nothing here keeps a conversation
between two calls: state goes in, state comes out.
"""
