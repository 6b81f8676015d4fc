"""POST /v1/cubes/export and /v1/cubes/import"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from typing import IO, Annotated

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse

from memos.archives.format import CHUNK, MEDIA_TYPE
from memos.archives.schemas import ExportRequest, ImportedArchive
from memos.archives.service import Importer, export, spool
from memos.http.deps import Admin, App, IdempotencyKey, RuntimeDep, problems
from memos.http.stored import stored_response
from memos.idempotency.service import Claim, erased_key
from memos.kernel.canonical import canonical_json
from memos.kit.schema import UserId

router = APIRouter(prefix="/v1/cubes", tags=["archives"])
IMPORT_PATH = "/v1/cubes/import"
BINARY = {"schema": {"type": "string", "format": "binary"}}


@router.post(
    "/export",
    response_class=StreamingResponse,
    responses={200: {"content": {MEDIA_TYPE: BINARY}, "description": "The archive."}, **problems(404)},
)
async def export_archive(runtime: RuntimeDep, caller: App, body: ExportRequest) -> Response:
    """One archive of cubes, of a conversation or of a user, with versions, lineage, turns and payloads. What was
    erased is not in it. The same memory gives the same bytes; `ETag` is their hash."""
    made = await runtime.recipes.whole(
        caller.tenant_id, lambda: export(runtime.database, runtime.blobs, caller.tenant_id, body)
    )
    headers = {
        "Content-Length": str(made.size_bytes),
        "Content-Disposition": f'attachment; filename="{made.manifest_sha256[:16]}.memos.zip"',
        "ETag": f'"{made.sha256}"',
        "X-Memos-Archive": made.manifest_sha256,
    }
    return StreamingResponse(_sent(made.file), 200, headers, MEDIA_TYPE)


async def _sent(file: IO[bytes]) -> AsyncIterator[bytes]:
    try:
        while chunk := await asyncio.to_thread(file.read, CHUNK):
            yield chunk
    finally:
        file.close()


@router.post(
    "/import",
    status_code=201,
    response_model=ImportedArchive,
    responses=problems(409),
    openapi_extra={"requestBody": {"required": True, "content": {"application/octet-stream": BINARY}}},
)
async def import_archive(
    request: Request,
    runtime: RuntimeDep,
    caller: Admin,
    user_id: Annotated[UserId | None, Query(description="Whose memory it becomes; else the archived user's.")] = None,
    key: IdempotencyKey = None,
) -> Response:
    """Take an archive in as new cubes and conversations of this tenant. The archive is the body, as it is, of up to
    `max_archive_bytes`. Everything in it is checked before anything is written, and all of it is written, or nothing;
    a damaged or changed member is refused by name."""
    with spool() as file:
        digest = hashlib.sha256()
        async for chunk in request.stream():
            digest.update(chunk)
            await asyncio.to_thread(file.write, chunk)
        file.seek(0)
        wanted = {"path": IMPORT_PATH, "user_id": user_id, "body": digest.hexdigest()}
        digest_of = runtime.keys.digest_of
        erased = "" if key is None else erased_key(digest_of, key)
        claim = Claim(key, digest_of(canonical_json(wanted)).hex(), runtime.settings.idempotency_ttl_s, erased)
        importer = Importer(runtime.database, runtime.blobs, runtime.wakeups)
        return stored_response(await importer.take_in(caller.tenant_id, file, claim, by=caller.key_id, user_id=user_id))
