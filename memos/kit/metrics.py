"""What a process counts, in the Prometheus format at /metrics. One registry per runtime, so that two services in one
process do not add up. Labels are bounded: no ids, no users, no text.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

# Of what a memory's health may say: what each figure is and the edges it is counted between.
HEALTH = {
    "slot_diversity": ("How different the slots of a memory are from each other.", (0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1)),
    "gate_mean": ("How much of the memory a turn replaced.", (0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1)),
    "drift": ("How far a turn moved the memory from its parent.", (0.01, 0.03, 0.1, 0.2, 0.5, 1, 2, 5)),
    "distance_to_start": ("How far the memory is from the start state.", (0.1, 0.2, 0.5, 1, 2, 5, 10)),
}
BUCKETS_S = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 30)


class Metrics:
    """The counters of one runtime."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self._turns = Counter("memos_turns", "Turns ended, by how.", ["status"], registry=self.registry)
        self._phases = Histogram(
            "memos_turn_phase_seconds",
            "Time in each phase of a turn.",
            ["phase"],
            buckets=BUCKETS_S,
            registry=self.registry,
        )
        self._jobs = Counter(
            "memos_jobs", "Background jobs ended, by how.", ["task", "outcome"], registry=self.registry
        )
        self._health = {
            name: Histogram(f"memos_memory_{name}", what, ["model"], buckets=edges, registry=self.registry)
            for name, (what, edges) in HEALTH.items()
        }
        self._collapsed = Counter(
            "memos_memory_collapsed", "Turns after which slots held the same.", ["model"], registry=self.registry
        )
        self.outbox_age_s = Gauge(
            "memos_outbox_oldest_due_seconds", "How long the longest-waiting job has been due.", registry=self.registry
        )
        self.invariant_findings = Gauge(
            "memos_invariant_findings", "What the invariants found wrong.", ["invariant"], registry=self.registry
        )
        self.blobs_collected = Counter(
            "memos_blobs_collected", "Unreferenced payloads that were removed.", registry=self.registry
        )
        self.watchdog_restarts = Counter(
            "memos_watchdog_restarts", "Consumers restarted because they idled.", registry=self.registry
        )

    def turn_ended(self, status: str, phases_ms: Mapping[str, float]) -> None:
        self._turns.labels(status).inc()
        for phase, spent_ms in phases_ms.items():
            self._phases.labels(phase).observe(spent_ms / 1000)

    def job_ended(self, task: str, outcome: str) -> None:
        self._jobs.labels(task, outcome).inc()

    def memory_advanced(self, model: str, health: Mapping[str, float]) -> None:
        """A turn was taken into a memory, whose health is now this."""
        for name, histogram in self._health.items():
            if name in health:
                histogram.labels(model).observe(health[name])
        collapsed = self._collapsed.labels(model)  # shows as 0 before the first alarm
        if health.get("collapsed", 0.0) > 0:
            collapsed.inc()

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
