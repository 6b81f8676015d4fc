from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from memos.generation.echo import EchoEngine
from memos.generation.embedders import LocalEmbedder
from memos.generation.in_process import InProcessGenerator
from memos.generation.port import Generator
from memos.generation.worker_client import ModelWorkerClient
from memos.kit.blobs import Blobs
from tests.generation.worker_process import WorkerProcess


@pytest.fixture(scope="session")
def blob_url(tmp_path_factory: pytest.TempPathFactory) -> str:
    return tmp_path_factory.mktemp("blobs").as_uri()


@pytest.fixture
def blobs(blob_url: str) -> Blobs:
    return Blobs(blob_url)


@pytest.fixture(scope="session")
def worker(tmp_path_factory: pytest.TempPathFactory, blob_url: str) -> Iterator[WorkerProcess]:
    """One echo worker for every test that does not hurt it."""
    running = WorkerProcess(tmp_path_factory.mktemp("worker"), blob_url, "--threads", "16")
    yield running
    running.stop()


@pytest.fixture
def start_worker(tmp_path: Path, blob_url: str) -> Iterator[Callable[..., WorkerProcess]]:
    """Starts workers of a test's own, with options of its choice."""
    started: list[WorkerProcess] = []

    def start(*options: str, engine: str = "echo", port: int = 0) -> WorkerProcess:
        started.append(WorkerProcess(tmp_path / str(len(started)), blob_url, *options, engine=engine, port=port))
        return started[-1]

    yield start
    for running in started:
        running.stop()


@pytest.fixture
async def client(worker: WorkerProcess) -> AsyncIterator[ModelWorkerClient]:
    made = ModelWorkerClient(worker.url)
    yield made
    await made.aclose()


@pytest.fixture(params=["in-process", "worker"])
async def generator(request: pytest.FixtureRequest, blobs: Blobs) -> AsyncIterator[Generator]:
    """Each way to reach an echo engine; the contract is the same."""
    made: Generator
    if request.param == "worker":
        made = ModelWorkerClient(request.getfixturevalue("worker").url)
    else:
        made = InProcessGenerator(EchoEngine(), blobs, LocalEmbedder("hash-384"))
    yield made
    await made.aclose()
