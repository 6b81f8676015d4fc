"""Which deltas a turn mounts: those that are activated, made for the model of its conversation, and its user's or its
agent's. What is another model's is never mounted; it is queued to be made anew.

The lookup is a part of the statement that pins the state (`memos.turns.store`), so that both are of one snapshot.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from memos.cubes.versions import blob_key
from memos.deltas import service
from memos.generation.port import DeltaRef
from memos.kit.unit_of_work import UnitOfWork

MOST_MOUNTED = 4  # for one answer; by priority, then the oldest first
CREATED_BY = "task:retrain"

# For a conversation `c`, as JSON: what is activated for its user or its agent. `again`: a run makes it for c's model.
MOUNTED = """
    (SELECT coalesce(jsonb_agg(jsonb_build_object(
        'cube_id', d.id, 'version_id', dv.id, 'number', dv.number, 'fingerprint', dv.fingerprint,
        'sha256', dv.payload_sha256, 'blob_id', dv.blob_id, 'fits', dv.fingerprint = c.fingerprint,
        'again', EXISTS (SELECT FROM distil_runs r WHERE r.replaces = d.id AND r.wanted_model = c.fingerprint
                           AND r.retired_at IS NULL)) ORDER BY d.priority DESC, d.id), '[]')
     FROM memcubes d JOIN memcube_versions dv ON dv.id = d.head_version_id
     WHERE d.kind = 'parameter' AND d.lifecycle = 'activated' AND dv.blob_id IS NOT NULL
       AND (d.user_id = c.user_id OR d.agent_id = c.agent_id)
       AND (d.user_id IS NULL OR d.user_id = c.user_id) AND (d.agent_id IS NULL OR d.agent_id = c.agent_id)
       AND (d.expires_at IS NULL OR d.expires_at > now())) AS deltas"""


@dataclass(frozen=True, slots=True)
class Mounted:
    """A delta that an answer reads."""

    cube_id: str
    version_id: str
    ref: DeltaRef


def mounted(found: Sequence[Mapping[str, Any]]) -> list[Mounted]:
    """What of the lookup is mounted."""
    return [
        Mounted(
            row["cube_id"],
            row["version_id"],
            DeltaRef(row["fingerprint"], row["sha256"], blob_key(row["blob_id"])),
        )
        for row in [row for row in found if row["fits"]][:MOST_MOUNTED]
    ]


def stale(found: Sequence[Mapping[str, Any]]) -> list[str]:
    """The cubes of another model that nobody makes anew yet."""
    return [row["cube_id"] for row in found if not row["fits"] and not row["again"]]


async def make_anew(work: UnitOfWork, cube_ids: Sequence[str], model: str) -> None:
    """Queues them to be made for this model."""
    await service.retrain(work, cube_ids, model=model, by=CREATED_BY)
