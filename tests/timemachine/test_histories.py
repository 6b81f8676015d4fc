"""Whatever happened to a cube, every moment since reads as a dictionary that was kept beside it says."""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import text

from memos.cubes import changes
from memos.kit.unit_of_work import UnitOfWork
from memos.timemachine import restore, service, store
from memos.timemachine.schemas import CubeRollback
from tests.support.live import Live
from tests.timemachine.desk import BY, Desk, opened

YEARS = [datetime(year, 1, 1, tzinfo=UTC) for year in range(2000, 2005)]
WORLD = [year + timedelta(days=half) for year in YEARS for half in (0, 180)]


@dataclass(frozen=True)
class Said:
    """A version as the dictionary holds it; `line` are the versions that still say something, oldest first."""

    content: str
    valid_from: datetime | None
    valid_to: datetime | None
    line: tuple["Said", ...] = ()

    def at(self, moment: datetime) -> str | None:
        """What the newest version of the line says of a moment in the world."""
        for said in reversed(self.line):
            begun = said.valid_from is None or said.valid_from <= moment
            if begun and (said.valid_to is None or moment < said.valid_to):
                return said.content
        return None


@dataclass(frozen=True)
class Known:
    """What is known of a cube at one moment."""

    versions: tuple[Said, ...]
    lifecycle: str = "activated"
    frozen: bool = False
    attributes: dict[str, Any] = field(default_factory=lambda: {"priority": 0, "tags": [], "expires_at": None})


MOMENTS = st.none() | st.sampled_from(YEARS)
SPANS: st.SearchStrategy[Any] = st.tuples(MOMENTS, MOMENTS).map(
    lambda span: span if None in span else tuple(sorted(span, key=str))
)
STEPS = st.one_of(
    st.tuples(st.just("revise"), SPANS),
    st.tuples(st.just("rollback"), st.integers(0, 5)),
    st.tuples(st.just("attributes"), st.fixed_dictionaries(
        {}, optional={"priority": st.integers(-3, 3), "tags": st.lists(st.sampled_from("ab"), max_size=2),
                      "expires_at": st.none() | st.just(datetime(2999, 1, 1, tzinfo=UTC))})),
    st.tuples(st.just("become"), st.sampled_from(["archived", "activated", "expired"])),
    st.tuples(st.just("freeze"), st.booleans()),
)  # fmt: skip


def _step(desk: Desk, cube_id: str, known: Known, number: int, step: tuple[str, Any]) -> Known:
    """Does it to the cube, and to the dictionary if the cube let it."""
    kind, given_ = step
    newest = known.versions[-1]
    try:
        if kind == "revise":
            said = Said(f"text {number}", *given_)
            desk.revise(cube_id, said.content, valid_from=said.valid_from, valid_to=said.valid_to)
            bare = replace(said, line=())
            return replace(known, versions=(*known.versions, replace(said, line=(*newest.line, bare))))
        if kind == "rollback":
            to = given_ % len(known.versions)
            desk.do(lambda work: restore.rollback(work, cube_id, CubeRollback(to_version=to), BY))
            return replace(known, versions=(*known.versions, known.versions[to]))
        if kind == "attributes":
            desk.alter(cube_id, lambda work, cube: changes.set_attributes(work, cube, given_, reason="test", by=BY))
            return replace(known, attributes=known.attributes | given_)
        if kind == "become":
            desk.alter(cube_id, lambda work, cube: changes.transition(work, cube, given_, reason="test", by=BY))
            return replace(known, lifecycle=given_)
        desk.alter(cube_id, lambda work, cube: changes.set_frozen(work, cube, given_, reason="test", by=BY))
        return replace(known, frozen=given_)
    except (changes.CubeFrozen, changes.NotLive, changes.IllegalTransition):
        return known


def _begun(desk: Desk, user_id: str) -> tuple[str, Known]:
    first = Said("text 0", None, None)
    return desk.note("text 0", user_id), Known((replace(first, line=(first,)),))


def _check(desk: Desk, cube_id: str, user_id: str, past: dict[datetime, Known]) -> None:
    for moment, known in past.items():
        then = desk.then(cube_id, moment)
        attributes = {name: getattr(then, name) for name in known.attributes}
        found = (then.content, then.head_version, then.lifecycle, then.frozen, attributes)
        newest = known.versions[-1]
        assert found == (
            newest.content, len(known.versions) - 1, known.lifecycle, known.frozen, known.attributes,
        )  # fmt: skip
        listed = desk.run(
            service.page_then(
                desk.database, desk.tenant_id, moment, cursor=None, limit=9, user_id=user_id, lifecycle=known.lifecycle
            )
        )
        assert listed.items == [then]
        for world in WORLD:
            try:
                told: str | None = desk.then(cube_id, moment, world).content
            except service.NothingThen:
                told = None
            assert told == newest.at(world), (moment, world)


_USERS = iter(range(10**9))


@pytest.fixture(scope="module")
def shared_desk(live: Live) -> Iterator[Desk]:
    with opened(live) as made:
        yield made


def _history(desk: Desk, steps: list[tuple[str, Any]]) -> None:
    user_id = f"history-{next(_USERS)}"
    before = desk.clock()
    cube_id, known = _begun(desk, user_id)
    past = {desk.clock(): known}
    for number, step in enumerate(steps, 1):
        known = _step(desk, cube_id, known, number, step)
        past[desk.clock()] = known
    _check(desk, cube_id, user_id, past)
    with pytest.raises(service.NotYet):
        desk.then(cube_id, before)


@settings(max_examples=15, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=2, max_size=8))
def test_every_moment_reads_as_it_was(shared_desk: Desk, steps: list[tuple[str, Any]]) -> None:
    _history(shared_desk, steps)


@pytest.mark.full
@pytest.mark.timeout(1800)
@settings(max_examples=500, suppress_health_check=[HealthCheck.too_slow])
@given(steps=st.lists(STEPS, min_size=2, max_size=30))
def test_every_moment_of_long_histories(shared_desk: Desk, steps: list[tuple[str, Any]]) -> None:
    _history(shared_desk, steps)


async def _lifecycle_now(real: Any, work: UnitOfWork, cube_ids: Any, as_of: datetime) -> Any:
    return await real(work, cube_ids, await store.clock(work))


async def _newest_version(real: Any, work: UnitOfWork, *, as_of: datetime, **options: Any) -> Any:
    return await real(work, as_of=await store.clock(work), **options)


async def _whole_line(real: Any, work: UnitOfWork, **asked: Any) -> Any:
    """Version by version, as if a rollback left nothing behind."""
    return await work.first(text(store._VALID.text.replace("l.operation = 'rollback'", "false")), **asked)


LEFT_BEHIND = [("revise", (YEARS[1], YEARS[2])), ("revise", (YEARS[2], None)), ("rollback", 1)]
PLANTED: dict[str, tuple[Any, list[tuple[str, Any]]]] = {
    "said": (_lifecycle_now, [("become", "archived")]),
    "cubes": (_newest_version, [("revise", (None, None))]),
    "valid": (_whole_line, LEFT_BEHIND),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_test_sees_what_is_planted(shared_desk: Desk, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """Each reading of something that is not of its moment is noticed."""
    wrong, steps = PLANTED[name]
    _history(shared_desk, steps)
    monkeypatch.setattr(store, name, partial(wrong, getattr(store, name)))
    with pytest.raises(AssertionError):
        _history(shared_desk, steps)
