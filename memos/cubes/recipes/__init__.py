"""States that are kept as recipes, and how they are made again."""
