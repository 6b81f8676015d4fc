"""What a turn becomes in memory: what was said, and what was answered, word for word, as two episodes.

They are queued in the transaction that makes the turn answered, in the round trip of its commit, so an answered turn is
remembered and a lost one is not. By their words they are found at once; a job makes their vectors, because nothing is
embedded on a turn's path. An answer that says nothing leaves no episode. Whoever erases or rolls back the turn reaches
them by `memcubes.turn_id`.
"""

from datetime import datetime

from memos.cubes.bulk.rows import NewText, prepare
from memos.cubes.bulk.store import queue_remember
from memos.kit.unit_of_work import UnitOfWork
from memos.memories import store
from memos.memories.sameness import EPISODE
from memos.memories.schemas import version_metadata

EMBED = "embed"  # the task that makes vectors which are missing in a scope
REASON = "said in a turn"


def record_turn(
    work: UnitOfWork,
    *,
    turn_id: str,
    conversation_id: str,
    user_id: str,
    agent_id: str | None,
    said: str,
    answered: str,
    at: datetime,
    by: str,
) -> None:
    """Queues the episodes of a turn, and the job that embeds them, in the transaction that answers it, once. `at` is the
    turn's time."""
    spoken = (("user", said), ("assistant", answered))
    episodes = [
        NewText(
            text,
            user_id,
            agent_id,
            origin="user" if role == "user" else "assistant",
            semantic_type=EPISODE,
            valid_from=at,
            metadata=version_metadata({}, speaker=role, thread=conversation_id, role=role),
            turn_id=turn_id,
        )
        for role, text in spoken
        if text
    ]
    if episodes:
        queue_remember(work, prepare(episodes, by=by), by=by, reason=REASON)
        store.queue_embedding(work, turn_id=turn_id, task=EMBED)
