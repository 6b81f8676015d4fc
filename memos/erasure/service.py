"""Asks for an erasure and reads it: what is named becomes ids in the transaction that accepts it; nothing keeps a name.

The work itself is a job (`memos.erasure.job`).
"""

from collections.abc import Callable, Mapping
from typing import Any

from sqlalchemy import RowMapping

from memos.cubes.chain import link_of
from memos.erasure import receipts, store
from memos.erasure.names import store as names
from memos.erasure.reach import Tools
from memos.erasure.schemas import TARGETS, Erasure, ErasureCreate, ErasureItem, ReceiptChecked
from memos.erasure.stores import BY_NAME
from memos.kernel.version import broken_links
from memos.kit.blobs import Blobs
from memos.kit.errors import Conflict, NotFound
from memos.kit.ids import ID_PATTERN, new_id
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store as outbox

ERASE = "erase"  # the task
MOST_RESIDUE = 100
BATCH = 500
Roots = dict[str, list[str]]


class NothingToErase(NotFound):
    """There is nothing of that here, or not any more."""


class NotOfATurn(Conflict):
    """This version of a state took no turn in."""

    code = "not_of_a_turn"
    hint = "Name the conversation, or the turns that are to be forgotten: its states follow."


async def request(work: UnitOfWork, wanted: ErasureCreate, by: str, subject_of: Callable[[str, str], str]) -> Erasure:
    """Accepts an erasure, or a dry run. `subject_of` makes the internal id of a user. Raises NothingToErase or
    NotOfATurn."""
    target, subject, roots = await resolve(work, wanted, subject_of)
    erasure_id = new_id("erase")
    await store.insert(
        work,
        id=erasure_id,
        target=target,
        subject=subject,
        roots=roots,
        derived=wanted.derived,
        dry_run=wanted.dry_run,
        requested_by=by,
    )
    await outbox.record(work, task=ERASE, subject=erasure_id, turn_id=None)
    return await get(work, erasure_id)


async def resolve(
    work: UnitOfWork, wanted: ErasureCreate, subject_of: Callable[[str, str], str]
) -> tuple[str, str, Roots]:
    """What was named, as the kind of thing, its internal id, and the ids that an erasure begins with."""
    name = next(name for name in TARGETS if getattr(wanted, name) is not None)
    target, named = name.removesuffix("_id"), getattr(wanted, name)
    finders = {"conversation": _conversation, "turn": _turn, "cube": _cube, "version": _version}
    if target == "user":
        roots = await _of_user(work, named)
        if not any(roots.values()):
            raise NothingToErase("there is nothing of this user")
        return target, subject_of(work.tenant_id, named), roots
    return target, named, await finders[target](work, named)


async def _of_user(work: UnitOfWork, user_id: str) -> Roots:
    return {
        "conversations": await store.conversations_of_user(work, user_id),
        "cubes": await store.cubes_of_user(work, user_id),
        "names": await names.rows_naming(work, user_id),
    }


async def _conversation(work: UnitOfWork, conversation_id: str) -> Roots:
    if await store.conversation(work, conversation_id) is None:
        raise NothingToErase(f"there is no conversation {conversation_id}")
    return {"conversations": [conversation_id]}


async def _turn(work: UnitOfWork, turn_id: str) -> Roots:
    if await store.turn(work, turn_id) is None:
        raise NothingToErase(f"there is no turn {turn_id}")
    return {"turns": [turn_id]}


async def _cube(work: UnitOfWork, cube_id: str) -> Roots:
    row = await store.cube(work, cube_id)
    if row is None:
        raise NothingToErase(f"there is no cube {cube_id}")
    if row["conversation_id"] is not None:
        return {"conversations": [row["conversation_id"]]}
    # An episode is a turn's words: it is not gone while the turn and what came of it still have them.
    return {"cubes": [cube_id]} if row["turn_id"] is None else {"turns": [row["turn_id"]]}


async def _version(work: UnitOfWork, version_id: str) -> Roots:
    row = await store.version(work, version_id)
    if row is None:
        raise NothingToErase(f"there is no version {version_id}")
    if row["conversation_id"] is None and row["turn_id"] is None:
        return {"versions": [version_id]}
    if row["turn_id"] is None:
        raise NotOfATurn(f"version {version_id} is the state of a conversation and took no turn in")
    return {"turns": [row["turn_id"]]}


async def get(work: UnitOfWork, erasure_id: str) -> Erasure:
    row = await store.get(work, erasure_id)
    if row is None:
        raise NotFound(f"there is no erasure {erasure_id}")
    return await view(work, row)


async def view(work: UnitOfWork, row: RowMapping) -> Erasure:
    plan: dict[str, dict[str, int]] = {}
    done = 0
    for found in await store.plan(work, row["id"]):
        plan.setdefault(found["store"], {})[found["action"]] = found["reached"]
        done += found["done"]
    columns = {name: row[name] for name in Erasure.model_fields if name not in ("plan", "done")}
    return Erasure(**columns, plan=plan, done=done)


def item_view(row: RowMapping) -> ErasureItem:
    return ErasureItem(**{name: row[name] for name in ErasureItem.model_fields})


async def residue(work: UnitOfWork, tools: Tools) -> tuple[list[str], int]:
    """What an erasure was to take and is still there, up to a bound; and at how many things was looked."""
    left: list[str] = []
    looked, after = 0, ""
    while rows := await store.items(work, tools.erasure_id, after=after, limit=BATCH):
        looked += len(rows)
        after = f"{rows[-1]['store']} {rows[-1]['id']}"
        for name, of_it in BY_NAME.items():
            items = [store.item_of(row) for row in rows if row["store"] == name and row["action"] != "list"]
            if items:
                left += await of_it.residue(work, tools, items)
    return left[:MOST_RESIDUE], looked


async def broken_chains(work: UnitOfWork, erasure_id: str) -> list[str]:
    """What is wrong with the chains of the cubes that lost a version."""
    wrong: list[str] = []
    for cube_id in await store.cubes_touched(work, erasure_id):
        wrong += broken_links([link_of(row) for row in await store.chain(work, cube_id)])
    return wrong[:MOST_RESIDUE]


async def check(
    work: UnitOfWork,
    blobs: Blobs,
    digest: Callable[[bytes], bytes],
    signer: receipts.Signer,
    receipt: Mapping[str, Any],
) -> ReceiptChecked:
    """Whether a receipt is ours and unchanged, and whether it is still true."""
    signatures = {stage: signer.holds(receipt[stage]) for stage in receipts.STAGES if receipt.get(stage) is not None}
    stages = {stage: receipt[stage] for stage in signatures if signatures[stage]}
    named = {body.get("erasure") for body in stages.values()}
    erasure_id = next(iter(named)) if len(named) == 1 else None
    row = None
    if isinstance(erasure_id, str) and ID_PATTERN.match(erasure_id):
        row = await store.get(work, erasure_id)
    if row is None or "logical" not in stages:
        return ReceiptChecked(ok=False, erasure_id=None, signatures=signatures, residue=[], broken_chains=[], checked=0)
    left, looked = await residue(work, Tools(blobs, digest, row["id"]))
    wrong = await broken_chains(work, row["id"])
    if stages["logical"].get("items") != receipts.digest(await item_list(work, row["id"])):
        left.append("what the receipt says was reached is not what this service has on record")
    ok = all(signatures.values()) and not left and not wrong
    return ReceiptChecked(
        ok=ok, erasure_id=row["id"], signatures=signatures, residue=left, broken_chains=wrong, checked=looked
    )


async def item_list(work: UnitOfWork, erasure_id: str) -> list[list[str]]:
    found: list[list[str]] = []
    after = ""
    while rows := await store.items(work, erasure_id, after=after, limit=BATCH):
        found += [[row["store"], row["id"], row["action"]] for row in rows]
        after = f"{rows[-1]['store']} {rows[-1]['id']}"
    return found
