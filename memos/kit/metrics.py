"""What a process counts, in the Prometheus format at /metrics. One registry per runtime, so that two services in one
process do not add up. Labels are bounded: no ids, no users, no text.
"""

from collections.abc import Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

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
        self.outbox_age_s = Gauge(
            "memos_outbox_oldest_due_seconds", "How long the longest-waiting job has been due.", registry=self.registry
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

    def exposition(self) -> bytes:
        return generate_latest(self.registry)
