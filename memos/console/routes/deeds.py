"""What can be done to a cube from its page; each is the call that REST has for it."""

from fastapi import APIRouter
from fastapi.responses import Response

from memos.archives.schemas import ExportConversation, ExportCubes, ExportUser
from memos.console.pages import go
from memos.console.routing import ConsoleRoute
from memos.console.session import PATH
from memos.console.visitor import Acting, filled
from memos.cubes.schemas import FreezeRequest, TransitionRequest
from memos.http.deps import CubeId
from memos.http.routes import archives, cube_changes, timemachine
from memos.kit.errors import Invalid
from memos.timemachine.schemas import CubeFork, CubeRollback

router = APIRouter(prefix=PATH, route_class=ConsoleRoute, include_in_schema=False)


@router.post("/cubes/{cube_id}/freeze")
async def freeze(visitor: Acting, cube_id: CubeId) -> Response:
    frozen = visitor.given("frozen") == "yes"
    body = filled(FreezeRequest, frozen=frozen, reason=visitor.given("reason"))
    await visitor.call(cube_changes.freeze, cube_id=cube_id, body=body, key=visitor.key)
    return go(f"{PATH}/cubes/{cube_id}", "frozen" if frozen else "unfrozen")


@router.post("/cubes/{cube_id}/transition")
async def transition(visitor: Acting, cube_id: CubeId) -> Response:
    body = filled(TransitionRequest, to=visitor.given("to"), reason=visitor.given("reason"))
    await visitor.call(cube_changes.transition, cube_id=cube_id, body=body, key=visitor.key)
    return go(f"{PATH}/cubes/{cube_id}", body.to)


@router.post("/cubes/{cube_id}/rollback")
async def rollback(visitor: Acting, cube_id: CubeId) -> Response:
    body = filled(CubeRollback, to_version=visitor.number("to_version"))
    await visitor.call(timemachine.rollback, cube_id=cube_id, body=body, key=visitor.key)
    return go(f"{PATH}/cubes/{cube_id}", "rolled-back")


@router.post("/cubes/{cube_id}/fork")
async def fork(visitor: Acting, cube_id: CubeId) -> Response:
    body = filled(CubeFork, at_version=visitor.number("at_version"), user_id=visitor.given("user_id"))
    made = await visitor.answer(timemachine.fork, cube_id=cube_id, body=body, key=visitor.key)
    return go(f"{PATH}/cubes/{made['cube']['id']}", "forked")


@router.post("/export")
async def export(visitor: Acting) -> Response:
    """An archive, as a file of the browser's."""
    body: ExportCubes | ExportConversation | ExportUser
    if (conversation := visitor.given("conversation_id")) is not None:
        body = filled(ExportConversation, conversation_id=conversation)
    elif (cube := visitor.given("cube_id")) is not None:
        body = filled(ExportCubes, cube_ids=[cube])
    elif (user := visitor.given("user_id")) is not None:
        body = filled(ExportUser, user_id=user)
    else:
        raise Invalid("nothing was named to export")
    return await visitor.call(archives.export_archive, body=body)
