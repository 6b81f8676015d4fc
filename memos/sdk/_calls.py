"""Every call of the API as a value: method, path, body, and how to read the answer. Written once; the sync and async
clients only differ in how they send one. Nothing here does I/O.

`None` for an argument means that it is left out, so the service's own default holds. Annotations that name a page are
quoted: making the type of each page at import would cost a tenth of the import's time.
"""

import re
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Generic, Literal, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, ValidationError

from memos.sdk import models
from memos.sdk.errors import InvalidResponseError, MemosError

T = TypeVar("T")
M = TypeVar("M", bound=BaseModel)

Consistency = Literal["latest", "eventual"]
Direction = Literal["up", "down", "both"]
KEY_PATTERN = re.compile(r"[\x21-\x7e]{1,255}")


@dataclass(frozen=True, slots=True)
class Call(Generic[T]):
    """One logical call. Its idempotency key stays the same however often it is sent."""

    method: str
    path: str
    read: Callable[[bytes], T]
    params: Mapping[str, str | int] = field(default_factory=dict)
    body: Mapping[str, Any] | None = None
    content: bytes | None = None  # a body that is no JSON
    headers: Mapping[str, str] = field(default_factory=dict)
    idempotency_key: str | None = None
    needs_key: bool = True
    answers: tuple[int, ...] = ()  # statuses beyond 2xx that carry an answer and not a problem
    once: bool = True  # sent twice, it takes effect once; otherwise a lost answer is reported and not asked for again

    def at(self, cursor: str) -> "Call[T]":
        """The same list, further on."""
        return replace(self, params={**self.params, "cursor": cursor})


def reads(model: type[M]) -> Callable[[bytes], M]:
    def read(content: bytes) -> M:
        try:
            return model.model_validate_json(content)
        except ValidationError as error:
            first = error.errors()[0]
            place = ".".join(str(part) for part in first["loc"]) or "the body"
            raise InvalidResponseError(
                f"the answer is not a {model.__name__}: {place}: {first['msg']}; it begins {content[:80]!r}"
            ) from error

    return read


def _path(*parts: str | int) -> str:
    return "/" + "/".join(quote(str(part), safe="") for part in parts)


def _given(**values: Any) -> dict[str, Any]:
    return {name: value for name, value in values.items() if value is not None}


def _get(read: Callable[[bytes], T], path: str, **params: Any) -> Call[T]:
    return Call("GET", path, read, params=_given(**params))


def _post(
    read: Callable[[bytes], T], path: str, body: Mapping[str, Any] | None, key: str | None, *, once: bool = True
) -> Call[T]:
    if key is None:
        key = uuid.uuid4().hex
    elif not KEY_PATTERN.fullmatch(key):
        raise MemosError(
            "idempotency_key must be 1 to 255 printable ASCII characters without spaces",
            code="bad_idempotency_key",
            hint="Use a uuid, or leave it out and the SDK makes one per call.",
        )
    return Call("POST", path, read, body=body, idempotency_key=key, once=once)


def _texts(given: str | Iterable[str] | None) -> list[str] | None:
    """One text is a list of one, and not its letters."""
    return [given] if isinstance(given, str) else None if given is None else list(given)


def conversations_create(
    user_id: str,
    *,
    agent_id: str | None = None,
    title: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call[models.Conversation]:
    """Starts a conversation of one user; any string of yours names the user."""
    body = _given(user_id=user_id, agent_id=agent_id, title=title, metadata=metadata)
    return _post(reads(models.Conversation), "/v1/conversations", body, idempotency_key)


def conversations_list(
    *, user_id: str | None = None, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[models.Conversation]]":
    """Iterates over the conversations, page after page."""
    page = reads(models.Page[models.Conversation])
    return _get(page, "/v1/conversations", user_id=user_id, limit=page_size, cursor=cursor)


def conversations_get(conversation_id: str) -> Call[models.Conversation]:
    """One conversation."""
    return _get(reads(models.Conversation), _path("v1", "conversations", conversation_id))


def conversations_rollback(
    conversation_id: str, to_turn: int, *, idempotency_key: str | None = None
) -> Call[models.RolledBack]:
    """Takes the memory back to just after turn `to_turn` (its seq; 0 is the start). Appends a version, deletes none."""
    path = _path("v1", "conversations", conversation_id, "rollback")
    return _post(reads(models.RolledBack), path, {"to_turn": to_turn}, idempotency_key)


def conversations_fork(
    conversation_id: str,
    at_turn: int,
    *,
    title: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Call[models.Conversation]:
    """A new conversation whose memory and history start at turn `at_turn` (its seq; 0 is the start)."""
    body = _given(at_turn=at_turn, title=title, metadata=metadata)
    path = _path("v1", "conversations", conversation_id, "fork")
    return _post(reads(models.Conversation), path, body, idempotency_key)


def conversations_import_turns(
    conversation_id: str,
    turns: Iterable[models.ImportedTurn | Mapping[str, Any]],
    *,
    idempotency_key: str | None = None,
) -> Call[models.Imported]:
    """Remembers turns from elsewhere, in order, without generating: mappings or ImportedTurns of input and output."""
    items = [
        turn.model_dump(mode="json", exclude_none=True) if isinstance(turn, models.ImportedTurn) else dict(turn)
        for turn in turns
    ]
    path = _path("v1", "conversations", conversation_id, "turns", "import")
    return _post(reads(models.Imported), path, {"turns": items}, idempotency_key)


def turns_create(
    conversation_id: str,
    input: str,
    *,
    recall_top_k: int | None = None,
    consistency: Consistency | None = None,
    min_version: int | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: str | Iterable[str] | None = None,
    seed: int | None = None,
    idempotency_key: str | None = None,
) -> Call[models.Turn]:
    """Says something and waits for the whole answer. `consistency="eventual"` may read a memory that lags a few turns;
    `recall_top_k=0` switches the recall of stored memories off. With a `temperature` above 0 the answer is drawn from
    the `top_k` likeliest tokens, and of these from those that together have probability `top_p`; `seed` makes the draw
    repeatable. The answer ends before the first of the texts in `stop`."""
    recall = None if recall_top_k is None else {"top_k": recall_top_k}
    body = _given(
        input=input, recall=recall, consistency=consistency, min_version=min_version, max_tokens=max_tokens,
        temperature=temperature, top_k=top_k, top_p=top_p, stop=_texts(stop), seed=seed,
    )  # fmt: skip
    path = _path("v1", "conversations", conversation_id, "turns")
    return _post(reads(models.Turn), path, body, idempotency_key)


def turns_stream(
    conversation_id: str,
    input: str,
    *,
    recall_top_k: int | None = None,
    consistency: Consistency | None = None,
    min_version: int | None = None,
    max_tokens: int | None = None,
    temperature: float | None = None,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: str | Iterable[str] | None = None,
    seed: int | None = None,
    idempotency_key: str | None = None,
) -> Call[models.Turn]:
    """Says something and gives the answer as it is made: Token events, then one Done with the Turn. The turn goes on
    when you stop listening; `turns.cancel` ends it."""
    call = turns_create(
        conversation_id, input, recall_top_k=recall_top_k, consistency=consistency, min_version=min_version,
        max_tokens=max_tokens, temperature=temperature, top_k=top_k, top_p=top_p, stop=stop, seed=seed,
        idempotency_key=idempotency_key,
    )  # fmt: skip
    return replace(call, body={**(call.body or {}), "stream": True})


def turns_list(
    conversation_id: str, *, order: str | None = None, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[models.Turn]]":
    """Iterates over the turns of a conversation, superseded ones included. `order`: asc, oldest first, or desc."""
    path = _path("v1", "conversations", conversation_id, "turns")
    return _get(reads(models.Page[models.Turn]), path, order=order, limit=page_size, cursor=cursor)


def turns_get(turn_id: str) -> Call[models.Turn]:
    """One turn."""
    return _get(reads(models.Turn), _path("v1", "turns", turn_id))


def turns_explanation(turn_id: str) -> Call[models.Explanation]:
    """Which memory versions the answer read, with what scores, which slots of the state most and from which turn and
    words each is, and what it wrote."""
    return _get(reads(models.Explanation), _path("v1", "turns", turn_id, "explanation"))


def turns_cancel(turn_id: str) -> Call[models.Turn]:
    """Stops a turn that is being answered. What it has said so far is kept."""
    return _post(reads(models.Turn), _path("v1", "turns", turn_id, "cancel"), None, None, once=False)


def cubes_list(
    *,
    kind: str | None = None,
    user_id: str | None = None,
    conversation_id: str | None = None,
    page_size: int | None = None,
    cursor: str | None = None,
) -> "Call[models.Page[models.Cube]]":
    """Iterates over the MemCubes, page after page. `kind`: plaintext, activation or parameter."""
    page = reads(models.Page[models.Cube])
    return _get(
        page, "/v1/cubes", kind=kind, user_id=user_id, conversation_id=conversation_id, limit=page_size, cursor=cursor
    )


def cubes_get(cube_id: str) -> Call[models.Cube]:
    """One MemCube."""
    return _get(reads(models.Cube), _path("v1", "cubes", cube_id))


def cubes_versions(
    cube_id: str, *, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[models.Version]]":
    """Iterates over the versions of a cube, page after page."""
    path = _path("v1", "cubes", cube_id, "versions")
    return _get(reads(models.Page[models.Version]), path, limit=page_size, cursor=cursor)


def cubes_version(cube_id: str, number: int) -> Call[models.VersionRecord]:
    """One version of a cube, with the slots of the memory that were written."""
    return _get(reads(models.VersionRecord), _path("v1", "cubes", cube_id, "versions", number))


def cubes_payload(cube_id: str, number: int) -> Call[bytes]:
    """The payload of a version: safetensors bytes for a state. Its SHA-256 is the version's `payload_sha256`."""
    return _get(bytes, _path("v1", "cubes", cube_id, "versions", number, "payload"))


def cubes_lineage(
    cube_id: str, *, direction: Direction | None = None, depth: int | None = None
) -> Call[models.Lineage]:
    """Where the versions of a cube came from (up) and what came from them (down)."""
    path = _path("v1", "cubes", cube_id, "lineage")
    return _get(reads(models.Lineage), path, direction=direction, depth=depth)


def cubes_export(
    *, cube_ids: Iterable[str] | None = None, conversation_id: str | None = None, user_id: str | None = None
) -> Call[bytes]:
    """One archive, as bytes, of cubes, or of a conversation, or of everything of a user. Write it to a file;
    `import_archive` takes it in, here or in another installation."""
    body = _given(cube_ids=_texts(cube_ids), conversation_id=conversation_id, user_id=user_id)
    return _post(bytes, "/v1/cubes/export", body, None)


def cubes_import_archive(
    archive: bytes, *, user_id: str | None = None, idempotency_key: str | None = None
) -> Call[models.ImportedArchive]:
    """Takes an archive in, as new cubes and conversations. `user_id`: whose memory it becomes; else the archived
    user's. A damaged or changed archive is an UnprocessableError that names the member."""
    call = _post(reads(models.ImportedArchive), "/v1/cubes/import", None, idempotency_key)
    return replace(call, content=archive, params=_given(user_id=user_id))


def jobs_list(
    *, status: str | None = None, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[models.Job]]":
    """Iterates over background work, page after page. `status`: queued, running, done or failed."""
    return _get(reads(models.Page[models.Job]), "/v1/jobs", status=status, limit=page_size, cursor=cursor)


def jobs_get(job_id: str) -> Call[models.Job]:
    """One job, with its error if it has one."""
    return _get(reads(models.Job), _path("v1", "jobs", job_id))


def jobs_retry(job_id: str) -> Call[models.Job]:
    """Queues a failed job again."""
    return _post(reads(models.Job), _path("v1", "jobs", job_id, "retry"), None, None, once=False)


def keys_create(
    name: str,
    scopes: Iterable[str],
    *,
    user_id: str | None = None,
    agent_id: str | None = None,
    roles: Iterable[str] | None = None,
) -> Call[models.NewKey]:
    """Makes an API key; scopes: admin, app, read. `user_id` or `agent_id` limit it to one; what is granted to `roles`
    is granted to it. The secret is in `key`, once: the service keeps no copy to answer a repeated call with, so a lost
    answer is an APIConnectionError; revoke the key it may have made."""
    held = None if roles is None else list(roles)
    body = _given(name=name, scopes=list(scopes), user_id=user_id, agent_id=agent_id, roles=held)
    return _post(reads(models.NewKey), "/v1/keys", body, None, once=False)


def keys_list(*, page_size: int | None = None, cursor: str | None = None) -> "Call[models.Page[models.Key]]":
    """Iterates over the API keys of the tenant, without their secrets."""
    return _get(reads(models.Page[models.Key]), "/v1/keys", limit=page_size, cursor=cursor)


def keys_revoke(key_id: str) -> Call[models.Key]:
    """Revokes an API key, at once and for good."""
    return Call("DELETE", _path("v1", "keys", key_id), reads(models.Key))


def tenants_create(name: str) -> Call[models.NewTenant]:
    """Makes a tenant and its first admin key. Needs a key with the operator scope."""
    return _post(reads(models.NewTenant), "/v1/tenants", {"name": name}, None, once=False)


def stats() -> Call[models.Stats]:
    """Counts and ages, as the service reports them."""
    return _get(reads(models.Stats), "/v1/stats")


def ready() -> Call[models.Readiness]:
    """Whether a turn can be taken now. A service that is not ready is an answer here, not an error; needs no key."""
    return Call("GET", "/readyz", reads(models.Readiness), needs_key=False, answers=(503,))
