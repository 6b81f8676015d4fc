"""The template of a prompt, for training and for the engine.

Notable choices
* Recalled lines stand before the question, each after its own mark, so that plaintext recall and the memory work
  together: `[BOS] [M] line [M] line [Q] question [A]`. What the memory holds of the conversation wins over a line.
* Lines are read, never written: the interaction that the memory is updated with has none.
* Training shows at most four lines of at most 18 tokens, 60 together, before a question of at most some 30: a prompt
  of up to 96 tokens. An engine that passes lines must allow as much, beyond `max_query` of a question alone.
"""

from collections.abc import Sequence

from models.text.tokenizer import ANSWER, BOS, QUERY, RECALL


def prompt_of(said: Sequence[int], snippets: Sequence[Sequence[int]] = ()) -> list[int]:
    """Token ids up to the first token of the answer. Snippets need a tokenizer of 7 special tokens."""
    out = [BOS]
    for snippet in snippets:
        out += [RECALL, *snippet]
    return [*out, QUERY, *said, ANSWER]
