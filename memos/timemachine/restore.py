"""Takes a cube back to one of its versions, or begins another cube from one. Both append: nothing is taken away.

A conversation's state is not changed here: its turns and its epoch must change with it, which is what the
conversation's own rollback and fork do.
"""

from sqlalchemy import RowMapping

from memos.cubes import changes
from memos.cubes import store as cubes
from memos.cubes.service import cube_view, version_row, version_view
from memos.cubes.versions import payload_of
from memos.kit.errors import Conflict
from memos.kit.unit_of_work import UnitOfWork
from memos.timemachine.schemas import CubeFork, CubeRollback, CubeRolledBack, Forked


class ConversationState(Conflict):
    """The cube is the state of a conversation, which changes with its turns."""

    code = "conversation_state"


async def rollback(work: UnitOfWork, cube_id: str, wanted: CubeRollback, by: str) -> CubeRolledBack:
    """Appends a version that holds again what version `to_version` held, in both times. Raises NotFound, CubeFrozen,
    NotLive, ConversationState, PayloadErased."""
    cube = await changes.lock(work, cube_id)
    _refuse_state(cube, "rollback")
    target = await version_row(work, cube_id, wanted.to_version)
    version = await changes.append(
        work,
        cube,
        operation="rollback",
        payload=payload_of(target),
        by=by,
        parents=[(target["id"], "restores")],
        fingerprint=target["fingerprint"],
        metadata={**target["metadata"], "to_version": wanted.to_version},
        valid_from=target["valid_from"],
        valid_to=target["valid_to"],
    )
    now = await cubes.get_cube(work, cube_id)
    return CubeRolledBack(cube=cube_view(now or cube), version=version_view(version))


async def fork(work: UnitOfWork, cube_id: str, wanted: CubeFork, by: str) -> Forked:
    """A new cube that begins with what version `at_version` held, for the same owner unless told otherwise. A delta's
    fork begins archived: mounted beside its source it would count twice. Raises NotFound, ConversationState,
    PayloadErased."""
    cube = await changes.lock(work, cube_id)
    _refuse_state(cube, "fork")
    source = await version_row(work, cube_id, wanted.at_version)
    made = await changes.create(
        work,
        changes.NewCube(
            kind=cube["kind"],
            payload=payload_of(source),
            created_by=by,
            user_id=wanted.user_id or cube["user_id"],
            agent_id=wanted.agent_id or cube["agent_id"],
            operation="fork",
            parents=[(source["id"], "forks")],
            origin=cube["origin"],
            semantic_type=cube["semantic_type"],
            visibility=cube["visibility"],
            sensitivity=cube["sensitivity"],
            priority=cube["priority"],
            tags=cube["tags"],
            expires_at=cube["expires_at"],
            valid_from=source["valid_from"],
            valid_to=source["valid_to"],
            fingerprint=source["fingerprint"],
            metadata={**source["metadata"], "at_version": wanted.at_version},
            reason="forked",
        ),
    )
    if made["kind"] == "parameter":
        await changes.transition(work, made, "archived", reason="forked", by=by)
    now = await cubes.get_cube(work, made["id"])
    return Forked(cube=cube_view(now or made), from_cube_id=cube_id, at_version=wanted.at_version)


def _refuse_state(cube: RowMapping, action: str) -> None:
    conversation = cube["conversation_id"]
    if conversation is not None:
        place = "to_turn" if action == "rollback" else "at_turn"
        raise ConversationState(
            f"cube {cube['id']} is the state of conversation {conversation}",
            hint=f'Use POST /v1/conversations/{conversation}/{action} with {{"{place}": SEQ}}.',
        )
