"""The synthetic language: facts people tell about themselves, questions about them, and small talk in between."""
