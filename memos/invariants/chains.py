"""Every cube's versions are one unbroken line, and each holds the payload that it committed to.

Notable choices:

* It remembers, cube by cube, up to which version a line was unbroken, and goes on from there. What was checked is not
  believed for ever: each run also checks again, from their first version, the cubes that were checked longest ago.
* A broken line is not passed: its mark stays before the first wrong version, so that it is found by every run.
* Which payload a blob holds is checked against its hash wherever it is read, and not here; see `blobs`.
"""

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import ClassVar

from sqlalchemy import RowMapping

from memos.cubes.chain import link_of, unbound
from memos.invariants import store
from memos.invariants.registry import MOST_FINDINGS, Finding, Plain, register
from memos.kernel.version import broken_links
from memos.kit.unit_of_work import UnitOfWork

CUBES = 500  # at once
ROWS = 5_000  # at once
MOST_VERSIONS = 200_000  # new ones in one run; the next run goes on
AGAIN = 200  # cubes that each run checks from their first version


@register
class UnbrokenChains(Plain):
    name: ClassVar[str] = "unbroken_chains"
    what: ClassVar[str] = "Every cube's versions are one unbroken line."

    async def check(self, work: UnitOfWork) -> list[Finding]:
        again = await store.stalest(work, AGAIN)
        again += [cube_id for cube_id in await store.found_before(work, self.name) if cube_id not in again]
        found = (await _walk(work, dict.fromkeys(again, (-1, None))))[0]
        seen, after = 0, ""
        while seen < MOST_VERSIONS and len(found) < MOST_FINDINGS:
            rows = await store.unchecked(work, after=after, limit=CUBES)
            if not rows:
                break
            after = rows[-1]["cube_id"]
            starts = {row["cube_id"]: (row["number"], row["hash"]) for row in rows if row["cube_id"] not in found}
            broken, count = await _walk(work, starts)
            found |= broken
            seen += count
        return [Finding(cube_id, detail) for cube_id, detail in list(found.items())[:MOST_FINDINGS]]


async def check_all(work: UnitOfWork) -> tuple[int, list[Finding]]:
    """Every version of the tenant from the first one on, whatever was checked before; how many, and what is wrong."""
    after, seen, found = "", 0, dict[str, str]()
    while cubes := await store.cubes(work, after=after, limit=CUBES):
        broken, count = await _walk(work, dict.fromkeys(cubes, (-1, None)))
        found |= broken
        seen, after = seen + count, cubes[-1]
    return seen, [Finding(cube_id, detail) for cube_id, detail in found.items()]


async def _walk(work: UnitOfWork, starts: dict[str, tuple[int, str | None]]) -> tuple[dict[str, str], int]:
    """Goes along each cube's line from where it is given, marks how far it is unbroken; what is wrong, by cube, and
    how many versions were seen."""
    reached, broken, seen = dict(starts), dict[str, str](), 0
    open_lines = dict(starts)
    while open_lines:
        beyond = {cube_id: number for cube_id, (number, _) in open_lines.items()}
        rows = await store.versions(work, beyond, ROWS)
        seen += len(rows)
        by_cube: dict[str, list[RowMapping]] = defaultdict(list)
        for row in rows:
            by_cube[row["cube_id"]].append(row)
        wrong = await asyncio.to_thread(_judge, by_cube, open_lines)
        for cube_id, versions in by_cube.items():
            good = wrong[cube_id][0] if cube_id in wrong else versions[-1]
            if good is not None:
                open_lines[cube_id] = reached[cube_id] = (good["number"], good["hash"])
        broken |= {cube_id: detail for cube_id, (_, detail) in wrong.items()}
        # Those with no rows are through, unless the limit cut them off.
        last = rows[-1]["cube_id"] if len(rows) == ROWS else ""
        open_lines = {
            cube_id: start
            for cube_id, start in open_lines.items()
            if cube_id >= last and last and cube_id not in broken
        }
    if reached:
        await store.mark(work, reached)
    return broken, seen


def _judge(
    by_cube: dict[str, list[RowMapping]], starts: dict[str, tuple[int, str | None]]
) -> dict[str, tuple[RowMapping | None, str]]:
    """For each broken line: the last version that is right, and what is wrong with the next."""
    wrong = {}
    for cube_id, versions in by_cube.items():
        number, hashed = starts[cube_id]
        detail = _first_wrong(versions, number + 1, hashed)
        if detail is not None:
            place, what = detail
            wrong[cube_id] = (versions[place - 1] if place else None, what)
    return wrong


def _first_wrong(versions: Sequence[RowMapping], first: int, after: str | None) -> tuple[int, str] | None:
    links = [link_of(row) for row in versions]
    whole = not broken_links(links, first=first, after=after)
    for place, (row, link) in enumerate(zip(versions, links, strict=True)):
        details = [] if whole else broken_links([link], first=first + place, after=after)
        details += [found for found in [unbound(row)] if found]
        if details:
            return place, details[0]
        after = link.hash
    return None
