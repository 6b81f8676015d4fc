"""What a turn becomes in memory: what was said, and what was answered, word for word, as two episodes.

They are queued in the transaction that makes the turn answered, in the round trip of its commit, so an answered turn is
remembered and a lost one is not. By their words they are found at once; a job makes their vectors, because nothing is
embedded on a turn's path. An answer that says nothing leaves no episode. Whoever erases or rolls back the turn reaches
them by `memcubes.turn_id`. An answer's episode has an edge to each memory that the answer was given (`recalls`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from memos.cubes import store as cubes
from memos.cubes.bulk.rows import NewText, prepare
from memos.cubes.bulk.store import queue_remember
from memos.kit.unit_of_work import UnitOfWork
from memos.memories import store
from memos.memories.sameness import EPISODE
from memos.memories.schemas import version_metadata

EMBED = "embed"  # the task that makes vectors which are missing in a scope
REASON = "said in a turn"
Role = Literal["user", "assistant"]


@dataclass(frozen=True, slots=True)
class Said:
    """One turn. `at`: its time. `recalled`: ids of the versions that its answer was given, from which it may quote."""

    turn_id: str
    conversation_id: str
    user_id: str
    agent_id: str | None
    said: str
    answered: str
    at: datetime
    recalled: Sequence[str] = ()


def record_turns(work: UnitOfWork, turns: Sequence[Said], *, by: str) -> None:
    """Queues the episodes of turns of one user, and the job that embeds them, in the transaction that makes the turns
    answered, once; last of all, because it holds the user's scope until the commit."""
    episodes = [(turn, _episode(turn, role)) for turn in turns for role in ("user", "assistant")]
    episodes = [(turn, episode) for turn, episode in episodes if episode.text]
    if not episodes:
        return
    queue_remember(work, prepare([episode for _, episode in episodes], by=by), by=by, reason=REASON)
    edges = [
        (episode.version_id, version_id)
        for turn, episode in episodes
        if episode.origin == "assistant"
        for version_id in turn.recalled
    ]
    cubes.insert_edges(work, edges, relation="recalls")
    store.queue_embedding(work, turn_id=episodes[0][0].turn_id, task=EMBED)


def _episode(turn: Said, role: Role) -> NewText:
    return NewText(
        turn.said if role == "user" else turn.answered,
        turn.user_id,
        turn.agent_id,
        origin=role,
        semantic_type=EPISODE,
        valid_from=turn.at,
        metadata=version_metadata({}, speaker=role, thread=turn.conversation_id, role=role) | {"turn": turn.turn_id},
        turn_id=turn.turn_id,
    )
