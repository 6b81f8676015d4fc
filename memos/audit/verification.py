"""Walks a tenant's audit chain and says where it is not whole. Reads only, in short transactions."""

from memos.audit import store
from memos.audit.schemas import AuditVerification, BrokenLink, ChainPlace, Unchained
from memos.audit.sequencer import AuditChainCut, Head, Noted
from memos.kernel.audit import Break, Walk
from memos.kit.db import Database

PAGE = 1000
PLACE = "[1-9][0-9]{0,17}:[0-9a-f]{64}"


def place(written: str | None) -> Head | None:
    """What `PLACE` matches, as a place of a chain."""
    if written is None:
        return None
    seq, _, hash_ = written.partition(":")
    return Head(int(seq), hash_)


async def verify(
    database: Database, noted: Noted, tenant_id: str, *, after: Head | None, most: int
) -> AuditVerification:
    """From the start, or from a head that the caller trusts, over at most so many links."""
    walk = Walk() if after is None else Walk(after.seq, after.hash)
    began = walk.seq
    if after is not None:
        async with database.unit_of_work(tenant_id) as work:
            found = await store.hash_at(work, after.seq)
        if found != after.hash:
            what = "it is gone" if found is None else "it is another than the one you kept: the chain was rewritten"
            walk.broken = Break(after.seq, None, what)
    complete = False
    while walk.broken is None and not complete and walk.seq - began < most:
        async with database.unit_of_work(tenant_id) as work:
            links = await store.walk(work, after=walk.seq, limit=min(PAGE, most - (walk.seq - began)))
        complete = not links
        for link in links:
            if not walk.take(link):
                break
    witnessed, forged = await _witnessed(noted, tenant_id)
    if walk.broken is None:
        walk.broken = forged or await _cut(database, tenant_id, walk, witnessed)
    unchained = None
    if complete:
        async with database.unit_of_work(tenant_id) as work:
            unchained = Unchained(**await store.count_open(work))
    return AuditVerification(
        ok=walk.broken is None,
        complete=complete,
        checked=walk.seq - began,
        head=ChainPlace(seq=walk.seq, hash=walk.hash) if walk.seq else None,
        broken=BrokenLink(seq=walk.broken.seq, audit_id=walk.broken.audit_id, what=walk.broken.what)
        if walk.broken
        else None,
        unchained=unchained,
        witnessed=ChainPlace(seq=witnessed.seq, hash=witnessed.hash) if witnessed else None,
    )


async def _witnessed(noted: Noted, tenant_id: str) -> tuple[Head | None, Break | None]:
    try:
        return await noted.read(tenant_id), None
    except AuditChainCut as error:
        return None, Break(0, None, error.message)


async def _cut(database: Database, tenant_id: str, walk: Walk, witnessed: Head | None) -> Break | None:
    """A chain can be whole and yet end too early, or be another one from some place on."""
    if witnessed is None:
        return None
    async with database.unit_of_work(tenant_id) as work:
        found = await store.hash_at(work, witnessed.seq)
        last = await store.last(work)
    if found == witnessed.hash:
        return None
    ends = last["seq"] if last else 0
    if ends < witnessed.seq:
        return Break(
            ends + 1, None, f"the chain ends at link {ends}; it reached {witnessed.seq} before: its end was cut"
        )
    return Break(witnessed.seq, None, f"link {witnessed.seq} is another than the one noted: the chain was rewritten")
