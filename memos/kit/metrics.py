"""What a process counts, in the Prometheus format at /metrics. One registry per runtime, so that two services in one
process do not add up. Labels are bounded: no ids, no users, no text; a route is its template.

Notable choices

* Names follow the Prometheus conventions: seconds and bytes, counters end in `_total`. `docs/observability.md` lists
  every one of them, and a test compares that table with what the processes expose.
* What somebody else keeps (a pool, a cache) is read when it is asked for (`Readings`), not copied now and then.
* Gauges say how values of several processes of one worker come together (`multiprocess_mode`): the worker's pool
  processes write theirs to files, and their parent exposes them (`workers.metrics`).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

# Of what a memory's health may say: what each figure is and the edges it is counted between.
HEALTH = {
    "slot_diversity": ("How different the slots of a memory are from each other.", (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)),
    "gate_mean": ("How much of the memory a turn replaced.", (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1)),
    "drift": ("How far a turn moved the memory from its parent.", (0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5)),
    "distance_to_start": ("How far the memory is from the start state.", (0.1, 0.2, 0.5, 1, 2, 5, 10)),
}
BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)
REQUEST_BUCKETS_S = (0.005, 0.02, 0.05, 0.1, 0.5, 1, 5, 30)
JOB_BUCKETS_S = (0.01, 0.05, 0.1, 0.5, 1, 5, 30, 120, 600, 1800)
# Open jobs, by how they stand.
OPEN = ("queued", "running", "failed")


class Exposed:
    """A registry, and what anybody wants to show in it."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()

    def read_from(self, read: Callable[[], Iterable[Metric]]) -> None:
        """Shows what `read` gives, each time that somebody asks."""
        self.registry.register(Readings(read))

    def exposition(self) -> bytes:
        return generate_latest(self.registry)


class Metrics(Exposed):
    """The counters of one runtime."""

    def __init__(self) -> None:
        super().__init__()
        self._turns = self._counter("memos_turns", "Turns ended, by how.", ["status"])
        self._turn = self._histogram("memos_turn_seconds", "Time of a whole turn, from its acceptance.", ["status"])
        self._phases = self._histogram("memos_turn_phase_seconds", "Time in each phase of a turn.", ["phase"])
        self._requests = self._histogram(
            "memos_http_request_seconds",
            "Time until a request's answer was sent whole.",
            ["method", "route", "status"],
            REQUEST_BUCKETS_S,
        )
        self._recall = self._histogram(
            "memos_recall_seconds", "Time of one recall over a scope and what it may see.", ["caller"]
        )
        self._jobs = self._counter("memos_jobs", "Background jobs ended, by how.", ["task", "outcome"])
        self._job = self._histogram("memos_job_seconds", "Time of one run of a job.", ["task"], JOB_BUCKETS_S)
        self._health = {
            name: self._histogram(f"memos_memory_{name}", what, ["model"], edges)
            for name, (what, edges) in HEALTH.items()
        }
        self._collapsed = self._counter("memos_memory_collapsed", "Turns after which slots held the same.", ["model"])
        self._open = self._gauge("memos_outbox_jobs", "Open jobs, by task and state.", ["task", "status"])
        self._oldest = self._gauge(
            "memos_outbox_oldest_due_seconds", "How long the longest-neglected job of a task has been due.", ["task"]
        )
        self.invariant_findings = self._gauge(
            "memos_invariant_findings", "What the invariants found wrong.", ["invariant"]
        )
        self.blobs_collected = self._counter("memos_blobs_collected", "Unreferenced payloads that were removed.")
        self.watchdog_restarts = self._counter("memos_watchdog_restarts", "Consumers restarted because they idled.")
        self._tasks: set[str] = set()

    def turn_ended(self, status: str, phases_ms: Mapping[str, float], took_s: float) -> None:
        self._turns.labels(status).inc()
        self._turn.labels(status).observe(took_s)
        for phase, spent_ms in phases_ms.items():
            self._phases.labels(phase).observe(spent_ms / 1000)

    def request_ended(self, method: str, route: str, status: int, took_s: float) -> None:
        """`route` is the template of the path, never the path."""
        self._requests.labels(method, route, f"{status // 100}xx").observe(took_s)

    def recalled(self, caller: str, took_s: float) -> None:
        """`caller`: `turn` or `search`."""
        self._recall.labels(caller).observe(took_s)

    def job_ended(self, task: str, outcome: str, took_s: float) -> None:
        self._jobs.labels(task, outcome).inc()
        self._job.labels(task).observe(took_s)

    def outbox(self, counts: Mapping[tuple[str, str], int], oldest_s: Mapping[str, float]) -> None:
        """What is open now, by (task, status) and by task. A task of which nothing is open any more shows as 0."""
        self._tasks |= {task for task, _ in counts} | set(oldest_s)
        for task in self._tasks:
            self._oldest.labels(task).set(oldest_s.get(task, 0.0))
            for status in OPEN:
                self._open.labels(task, status).set(counts.get((task, status), 0))

    def memory_advanced(self, model: str, health: Mapping[str, float]) -> None:
        """A turn was taken into a memory, whose health is now this."""
        for name, histogram in self._health.items():
            if name in health:
                histogram.labels(model).observe(health[name])
        collapsed = self._collapsed.labels(model)  # shows as 0 before the first alarm
        if health.get("collapsed", 0.0) > 0:
            collapsed.inc()

    def _counter(self, name: str, what: str, labels: Iterable[str] = ()) -> Counter:
        return Counter(name, what, labels, registry=self.registry)

    def _gauge(self, name: str, what: str, labels: Iterable[str] = ()) -> Gauge:
        return Gauge(name, what, labels, registry=self.registry, multiprocess_mode="mostrecent")

    def _histogram(
        self, name: str, what: str, labels: Iterable[str], buckets: tuple[float, ...] = BUCKETS_S
    ) -> Histogram:
        return Histogram(name, what, labels, registry=self.registry, buckets=buckets)


class Readings(Collector):
    """Figures that somebody keeps anyway. `read` may be called from any thread and must not block."""

    def __init__(self, read: Callable[[], Iterable[Metric]]) -> None:
        self._read = read

    def collect(self) -> Iterator[Metric]:
        yield from self._read()


def counter(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    """One family of `Readings`: a counter with one label."""
    family = CounterMetricFamily(name, what, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family


def gauge(name: str, what: str, label: str, values: Mapping[str, float]) -> Metric:
    """The same for a gauge."""
    family = GaugeMetricFamily(name, what, labels=[label])
    for value, count in values.items():
        family.add_metric([value], count)
    return family
