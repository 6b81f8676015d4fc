"""Whether a memory says what another says already.

* A memory's key is a keyed digest of whose it is, who may see it, and what it says; of the living of one scope each has
  one of its own, by a unique index, so two that arrive together cannot both be stored.
* What a fact says is its words in their order, stemmed, without those that carry nothing. Facts of one key whose words
  are not the same are compared once more (`says_the_same`): what differs in negation, numbers or meaning is stored
  beside the other, under a key of its exact words.
* An episode happened once: it repeats another only with the same speaker, thread and time.
"""

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from memos.consolidation.texts import gist, normalised, same_but_for_words
from memos.cubes.bulk.rows import NewText
from memos.kernel.canonical import canonical_json

EPISODE = "episode"
LEAST_COSINE = 0.95
KEY_BYTES = 16
_DOMAIN = b"memos memory key:"


def key_of(
    digest: Callable[[bytes], bytes], tenant_id: str, new: NewText, thread: str | None, *, exact: bool = False
) -> bytes | None:
    """`thread`: as the caller named it. None: it repeats nothing."""
    told: Sequence[str | None]
    if new.semantic_type == EPISODE:
        if new.valid_from is None:
            return None
        told = (_said(new.text), new.metadata.get("speaker"), thread, new.valid_from.isoformat())
    else:
        told = (f"exactly {_said(new.text)}" if exact else f"about {gist(new.text) or _said(new.text)}",)
    whose = (str(tenant_id), new.user_id, new.agent_id, new.visibility, new.sensitivity, new.semantic_type == EPISODE)
    return digest(_DOMAIN + canonical_json([*whose, *told]))[:KEY_BYTES]


def says_the_same(
    new: str, vector: NDArray[np.float32] | None, held: str, held_vector: NDArray[np.float32] | None
) -> bool:
    """Of two facts of one key. Without vectors, only if the words are the same."""
    if _said(new) == _said(held):
        return True
    if vector is None or held_vector is None or vector.shape != held_vector.shape:
        return False
    return same_but_for_words(new, held) and float(vector @ held_vector) >= LEAST_COSINE


def _said(text: str) -> str:
    return normalised(text) or text.strip()
