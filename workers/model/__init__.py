"""The model worker: a process that holds one model and computes for whoever asks, over HTTP. It keeps no conversation;
states come by reference from the blob store and new ones go back there. Only this package loads torch (law 2), and only
when the engine asked for needs it.
"""
