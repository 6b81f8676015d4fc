"""The audit log: who read and who changed what. Rows are written in the transaction of what they tell of, unchained;
one sequencer per tenant (`memos.audit.sequencer`) chains what was committed.

A row holds ids and our own words: never text, names of users or hashes of content. Users and agents are digests keyed
with the service's secret, so that a row outlives its user and tells nobody who that was.
"""

from collections.abc import Callable, Mapping
from typing import Any

from memos.audit import store
from memos.kernel.canonical import canonical_json
from memos.kit.unit_of_work import UnitOfWork

Digest = Callable[[bytes], bytes]
_DOMAIN = b"memos audit subject:"


def note(
    work: UnitOfWork, action: str, subject_id: str | None, by: str, details: Mapping[str, Any] | None = None
) -> None:
    """A change that a task makes by itself, in the change's own transaction. `subject_id` and `details` are ids,
    numbers and words of ours; `by` is the task, such as `task:policies`. What a route does is noted by itself."""
    subjects = [] if subject_id is None else [subject_id]
    store.insert(work, kind="change", action=action, by=by, actors=(), subjects=subjects, details=details or {})


def subject(digest: Digest, tenant_id: str, kind: str, name: str) -> str:
    """What stands for a user or an agent (`kind`) of a tenant."""
    return f"{kind}:{digest(_DOMAIN + canonical_json([str(tenant_id), kind, name])).hex()[:32]}"
