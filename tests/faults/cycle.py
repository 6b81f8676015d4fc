"""One cycle of the kill loop: writers under way, one death at a random moment or at a named place, everything back,
the rest drained, and the history checked. A death that interrupted nothing is reported as such and does not count.
"""

import random
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import psycopg

from tests.faults.points import arm, disarm, fired
from tests.support.evidence import connect, read_history
from tests.support.history import Violation, check
from tests.support.topology import Topology, Victim
from tests.support.writers import PATIENCE_S, Client, Writers, await_true, conversations

WRITERS = 8
CONVERSATIONS = 4
WARM_TURNS = 8  # acknowledged before anything is killed
FIRE_TIMEOUT_S = 15.0
DRAIN_TIMEOUT_S = 60.0
TRIES = 3  # for one kill, until it interrupts open work
# The reaper has something to reap only after an API has died with turns under way.
AFTER_API_DEATH = "lapsed_uncommitted"
_OPEN = """SELECT (SELECT count(*) FROM turns WHERE conversation_id = ANY(%(ids)s) AND status = 'accepted'),
  (SELECT count(*) FROM turns WHERE conversation_id = ANY(%(ids)s) AND status = 'answered'),
  (SELECT count(*) FROM outbox WHERE subject = ANY(%(ids)s) AND status <> 'done')"""


@dataclass(frozen=True)
class Kill:
    """Whom to kill, or at which point whoever passes it dies."""

    victim: str | None = None
    point: str | None = None

    @property
    def name(self) -> str:
        return self.point or f"random:{self.victim}"


@dataclass
class OpenWork:
    """What a death interrupted: requests that clients waited for, turns and jobs in the database."""

    requests: int = 0
    accepted: int = 0
    answered: int = 0
    jobs: int = 0

    @property
    def any(self) -> bool:
        return self.requests > 0 and self.accepted + self.answered + self.jobs > 0


@dataclass
class Cycle:
    """What happened in one cycle."""

    kill: str
    seed: int
    died: list[str] = field(default_factory=list)
    open_work: OpenWork = field(default_factory=OpenWork)
    recovery_s: float = 0.0  # death -> the first acknowledgement of a turn that was sent after it
    all_back_s: float = 0.0  # death -> every writer has been acknowledged again
    drain_s: float = 0.0
    attempts: int = 0
    acknowledged: int = 0
    given_up: list[str] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    @property
    def counts(self) -> bool:
        return bool(self.died) and self.open_work.any


def plan(cycles: int, seed: int, *, points: Sequence[str], victims: Sequence[str]) -> list[Kill]:
    """As many kills, in an order by the seed: every point and every victim once, random moments for the rest of the
    first half, and then the same again."""
    kinds = [Kill(point=name) for name in points] + [Kill(victim=name) for name in victims]
    chosen: list[Kill] = []
    while len(chosen) < cycles:
        chosen += kinds
        chosen += [Kill(victim=victims[number % len(victims)]) for number in range(min(8, cycles - len(chosen)))]
    random.Random(seed).shuffle(chosen := chosen[:cycles])
    return chosen


def loop(topology: Topology, kills: Sequence[Kill], seed: int) -> Iterator[Cycle]:
    """Each kill in its turn; one that interrupted nothing is tried again, and is told as well."""
    for number, kill in enumerate(kills):
        for attempt in range(TRIES):
            cycle = run(topology, kill, seed * 1000 + number * 10 + attempt)
            yield cycle
            if cycle.counts or cycle.violations:
                break


def run(topology: Topology, kill: Kill, seed: int) -> Cycle:
    chance = random.Random(seed)
    cycle = Cycle(kill.name, seed)
    client = Client(topology.urls, topology.api_key, chance)
    ids = conversations(client, CONVERSATIONS)
    client.close()
    writers = Writers(topology.urls, topology.api_key, ids, count=WRITERS, seed=seed)
    writers.start()
    await_true(lambda: len(writers.log.acknowledged()) >= WARM_TURNS, "the first turns", PATIENCE_S)
    dead_s, dead = _strike(topology, kill, chance, writers, cycle)
    if dead:
        looks_later = any(victim.database for victim in dead)
        if not looks_later:
            _count_open(topology, ids, cycle)
        for victim in dead:
            victim.restore()
        if looks_later:
            _count_open(topology, ids, cycle)
    done = writers.done_each()
    await_true(
        lambda: all(now > before for now, before in zip(writers.done_each(), done, strict=True)),
        "every writer is acknowledged again",
        PATIENCE_S * 2,
    )
    cycle.all_back_s = time.monotonic() - dead_s
    writers.stop()
    writers.join()
    drained_s = time.monotonic()
    await_true(lambda: open_work(topology, ids) == (0, 0, 0), "everything is settled", DRAIN_TIMEOUT_S)
    cycle.drain_s = time.monotonic() - drained_s
    _conclude(topology, ids, writers, dead_s, cycle)
    return cycle


def _strike(
    topology: Topology, kill: Kill, chance: random.Random, writers: Writers, cycle: Cycle
) -> tuple[float, list[Victim]]:
    """(when, who died)."""
    waiting = 0
    time.sleep(chance.uniform(0.0, 0.5))
    if kill.point is None:
        victim = topology.victims[kill.victim or ""]
        cycle.open_work.requests = writers.log.in_flight
        victim.kill()
        cycle.died = [victim.name]
        return time.monotonic(), [victim]
    if kill.point == AFTER_API_DEATH:
        victim = next(v for name, v in topology.victims.items() if name.startswith(("api", "service")))
        # Whom it lets wait: where a start takes longer than a lease, the reaper comes to its turns before it listens.
        waiting = writers.log.in_flight
        victim.kill()
        arm(topology.crash_file, kill.point)
        try:
            victim.restore()
        except AssertionError:
            if not fired(topology.crash_file).exists():
                raise  # else it died again before it was seen to be ready, as it should
    else:
        arm(topology.crash_file, kill.point, chance.randint(1, 4))
    gone = fired(topology.crash_file)
    try:
        await_true(gone.exists, f"a process passes {kill.point}", FIRE_TIMEOUT_S, poll_s=0.005)
    except AssertionError:
        if disarm(topology.crash_file):
            return time.monotonic(), []
    dead_s = time.monotonic()
    cycle.open_work.requests = max(waiting, writers.log.in_flight)
    gone.unlink()
    programs = {name: victim for name, victim in topology.victims.items() if name not in ("postmaster", "backend")}
    await_true(lambda: any(not v.alive() for v in programs.values()), "the process that passed it is dead", 5.0)
    dead = [victim for victim in programs.values() if not victim.alive()]
    cycle.died = [victim.name for victim in dead]
    return dead_s, dead


def open_work(topology: Topology, ids: list[str]) -> tuple[int, int, int]:
    """(accepted turns, answered turns, open jobs); (-1, -1, -1) while the database is recovering."""
    try:
        with connect(topology.admin_url) as connection:
            row = connection.execute(_OPEN, {"ids": ids}).fetchone()
    except psycopg.OperationalError:
        return (-1, -1, -1)
    return (int(row[0]), int(row[1]), int(row[2])) if row else (-1, -1, -1)


def _count_open(topology: Topology, ids: list[str], cycle: Cycle) -> None:
    deadline = time.monotonic() + 20
    while (found := open_work(topology, ids)) == (-1, -1, -1) and time.monotonic() < deadline:
        time.sleep(0.02)
    cycle.open_work.accepted, cycle.open_work.answered, cycle.open_work.jobs = (max(0, count) for count in found)


def _conclude(topology: Topology, ids: list[str], writers: Writers, dead_s: float, cycle: Cycle) -> None:
    log = writers.log
    cycle.attempts = len(log.attempts)
    cycle.acknowledged = len(log.acknowledged())
    cycle.given_up = list(log.given_up)
    after = log.acknowledged(begun_after_s=dead_s)
    cycle.recovery_s = min(attempt.ended_s for attempt in after) - dead_s if after else -1.0
    cycle.violations = check(read_history(topology.admin_url, topology.blobs, log.attempts, ids))


def summary(cycles: Iterable[Cycle]) -> dict[str, object]:
    """Figures of a loop; `hits` counts, for each kind of kill, the deaths that interrupted open work."""
    done = list(cycles)
    hits = Counter({cycle.kill: 0 for cycle in done})
    hits.update(cycle.kill for cycle in done if cycle.counts)
    recovered = sorted(cycle.recovery_s for cycle in done if cycle.counts)
    broken = Counter(violation.rule for cycle in done for violation in cycle.violations)
    return {
        "cycles": len(done),
        "counted": sum(cycle.counts for cycle in done),
        "attempts": sum(cycle.attempts for cycle in done),
        "acknowledged_turns": sum(cycle.acknowledged for cycle in done),
        "acknowledged_turns_lost": broken["acknowledged_turn_lost"],
        "keys_with_more_than_one_turn": broken["key_took_effect_twice"],
        "broken_chains": broken["chain_broken"],
        "violations": dict(broken),
        "given_up": sum(len(cycle.given_up) for cycle in done),
        "hits_with_open_work": dict(sorted(hits.items())),
        "interrupted_at_most": {
            name: max(getattr(cycle.open_work, name) for cycle in done)
            for name in ("requests", "accepted", "answered", "jobs")
        },
        "recovery_s": _spread(recovered),
        "all_writers_back_s": _spread(sorted(cycle.all_back_s for cycle in done if cycle.counts)),
    }


def _spread(values: list[float]) -> dict[str, float]:
    if not values:
        return {}
    p95 = values[min(len(values) - 1, int(0.95 * len(values)))]
    return {"median": round(values[len(values) // 2], 3), "p95": round(p95, 3), "max": round(values[-1], 3)}
