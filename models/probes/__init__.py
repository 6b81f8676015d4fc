"""Probes: what a checkpoint remembers, measured through the engine and beside controls. `python -m models.probes`.

Everything is text in, text out: the engine answers every turn itself, greedily, as it does when it serves. Values are
words that no training run has seen. `PROBES` in `models.probes.registry` names what is asked; `models.probes.parties`
says who else is asked the same question.
"""
