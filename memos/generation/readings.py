"""What a generator in this process can tell at /metrics: its computations, its queue and its caches. A client of a
model worker tells none of it: the worker does, at an address of its own.
"""

from collections.abc import Iterator, Mapping
from typing import Any

from prometheus_client import Histogram
from prometheus_client.core import GaugeMetricFamily, Metric

from memos.generation.pool import Pool
from memos.generation.state_cache import StateCache
from memos.kit.metrics import BUCKETS_S, Exposed, counter, gauge

CACHE = "cache"


def operations() -> Histogram:
    """How long each kind of computing took. In no registry until somebody exposes it."""
    return Histogram(
        "memos_model_operation_seconds",
        "Time of one computation of the model, its queueing included.",
        ["operation"],
        buckets=BUCKETS_S,
        registry=None,
    )


def show(metrics: Exposed, operations: Histogram, pool: Pool, caches: Mapping[str, StateCache[Any]]) -> None:
    """Puts these among what the process exposes."""

    def read() -> Iterator[Metric]:
        jobs = {"active": pool.active, "waiting": pool.waiting}
        yield gauge("memos_model_jobs", "Computations of the model, by state.", "state", jobs)
        most = "Computations that may run or wait; more are refused."
        yield GaugeMetricFamily("memos_model_jobs_max", most, pool.limit)
        found = {name: cache.stats() for name, cache in caches.items()}

        def of(figure: str) -> dict[str, float]:
            return {name: stats[figure] for name, stats in found.items()}

        yield counter("memos_state_cache_hits", "Decoded payloads that were in memory.", CACHE, of("hits"))
        yield counter("memos_state_cache_misses", "Decoded payloads that had to be read.", CACHE, of("misses"))
        yield gauge("memos_state_cache_entries", "Decoded payloads in memory.", CACHE, of("entries"))
        yield gauge("memos_state_cache_bytes", "Bytes of decoded payloads in memory.", CACHE, of("bytes"))
        yield gauge("memos_state_cache_max_bytes", "Bytes that may be in memory.", CACHE, of("max_bytes"))

    metrics.registry.register(operations)
    metrics.read_from(read)
