"""memos: a memory operating system for chat applications. Importing it costs nothing; import the part you need."""

__version__ = "0.1.0"
