"""/metrics of a relay and of a worker, which serve nothing else.

A worker's jobs run in processes that Celery forks. These write what they count to files in a folder that their parent
hands them (the multiprocess mode of prometheus_client), so that a process that ends takes no count along; the parent
exposes them together with what it counts itself. Figures that are read when asked for (`memos.kit.metrics.Readings`)
exist only in the parent then: a forked process is asked by nobody.
"""

import shutil
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

import structlog
from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample

from memos.kit.config import Settings
from memos.kit.errors import StartupError

LOG = structlog.get_logger(__name__)
FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


@contextmanager
def told(settings: Settings, registry: CollectorRegistry) -> Iterator[None]:
    """Serves a registry while the block runs, if a port is configured. Raises StartupError if it is taken."""
    if settings.metrics_port is None:
        yield
        return
    try:
        server, thread = start_http_server(settings.metrics_port, settings.metrics_host, registry)
    except OSError as error:
        where = f"{settings.metrics_host}:{settings.metrics_port}"
        raise StartupError(
            f"cannot listen on {where}: {error.strerror}", hint="Set another MEMOS_METRICS_PORT."
        ) from error
    LOG.info("metrics.listening", host=settings.metrics_host, port=server.server_port)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class WithPool(Collector):
    """What this process counts, together with what its pool processes wrote to `folder`."""

    def __init__(self, own: CollectorRegistry, folder: str) -> None:
        self._own = own
        self._pool = MultiProcessCollector(None, folder)  # type: ignore[no-untyped-call]

    def collect(self) -> Iterator[Metric]:
        yield from merged((*self._own.collect(), *self._pool.collect()))  # type: ignore[no-untyped-call]


@contextmanager
def with_pool(settings: Settings, own: CollectorRegistry) -> Iterator[dict[str, str]]:
    """Serves both; yields what the environment of the pool must say."""
    if settings.metrics_port is None:
        yield {}
        return
    folder = tempfile.mkdtemp(prefix="memos-metrics-")
    registry = CollectorRegistry()
    registry.register(WithPool(own, folder))
    try:
        with told(settings, registry):
            yield {FOLDER_VARIABLE: folder}
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def merged(families: Iterable[Metric]) -> list[Metric]:
    """One family per name. Counts of the same labels add up; of a gauge the largest holds."""
    found: dict[str, Metric] = {}
    for family in families:
        known = found.setdefault(family.name, Metric(family.name, family.documentation, family.type))
        join: Callable[[float, float], float] = max if family.type == "gauge" else float.__add__
        for sample in family.samples:
            _add(known.samples, sample, join)
    return list(found.values())


def _add(samples: list[Sample], new: Sample, join: Callable[[float, float], float]) -> None:
    for at, old in enumerate(samples):
        if (old.name, old.labels) == (new.name, new.labels):
            samples[at] = new._replace(value=join(float(old.value), float(new.value)))
            return
    samples.append(new)
