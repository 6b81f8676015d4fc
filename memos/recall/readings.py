"""What the indexes of this process can tell at /metrics."""

from collections.abc import Callable, Iterator

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from memos.kit.metrics import Exposed
from memos.recall.cache import CacheFigures


def show(metrics: Exposed, figures: Callable[[], CacheFigures]) -> None:
    """Puts the figures of a cache of indexes among what the process exposes."""

    def read() -> Iterator[Metric]:
        found = figures()
        for name, what, count in (
            ("hits", "Recalls whose index was in memory.", found.hits),
            ("misses", "Recalls whose index had to be built.", found.misses),
            ("evictions", "Indexes that made room for others.", found.evictions),
            ("too_large", "Indexes larger than the whole bound.", found.too_large),
        ):
            yield CounterMetricFamily(f"memos_recall_index_{name}", what, count)
        yield GaugeMetricFamily("memos_recall_indexes", "Indexes in memory.", found.entries)
        yield GaugeMetricFamily("memos_recall_index_bytes", "Bytes of indexes in memory.", found.held_bytes)
        yield GaugeMetricFamily("memos_recall_index_max_bytes", "Bytes that may be in memory.", found.most_bytes)

    metrics.read_from(read)
