"""Training: a synthetic language of conversations, the stages of the recipe, probes of what was learned."""
