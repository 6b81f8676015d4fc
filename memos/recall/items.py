"""What the index holds of one memory: its words, its times, whose it is. A plain value, built by whoever reads the
database, so that nothing here knows SQL.

Notable choices:

* Times are seconds since 1970, UTC, as floats: an index compares a hundred thousand of them in one operation.
* `superseded` is a fact about the memory (a newer one replaces it) and not a rank: what to do with it is the query's.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Item:
    """One living memory. `vector`: float32 [d] of unit norm, or None: it is then found by its words alone."""

    cube_id: str
    version_id: str
    version: int
    text: str
    at: float  # when it was so: valid_from, else created_at
    created_at: float
    valid_to: float | None = None
    expires_at: float | None = None
    speaker: str | None = None
    role: str | None = None
    thread: str | None = None
    semantic_type: str | None = None
    tags: tuple[str, ...] = ()
    metadata: Mapping[str, Any] = field(default_factory=dict)  # the caller's own
    user_id: str | None = None
    agent_id: str | None = None
    conversation_id: str | None = None
    visibility: str = "owner"
    sensitivity: str = "normal"
    superseded: bool = False
    vector: NDArray[np.float32] | None = None
