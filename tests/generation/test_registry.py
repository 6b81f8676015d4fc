"""Which generator a configuration gives."""

import pytest

from memos.generation.in_process import InProcessGenerator
from memos.generation.registry import build_generator, generator_names
from memos.generation.worker_client import ModelWorkerClient
from memos.kit.config import Settings
from memos.kit.errors import StartupError

pytestmark = pytest.mark.anyio


@pytest.mark.parametrize(
    ("name", "model_url", "kind"),
    [
        ("echo", None, InProcessGenerator),
        ("echo", "http://127.0.0.1:1", ModelWorkerClient),
        ("rxt", "http://127.0.0.1:1", ModelWorkerClient),
    ],
)
async def test_a_name_and_an_address_choose_the_generator(blobs, name, model_url, kind):
    made = build_generator(Settings(generator=name, model_url=model_url), blobs)
    assert isinstance(made, kind)
    await made.aclose()


def test_an_unknown_name_is_refused_and_the_known_ones_listed(blobs):
    with pytest.raises(StartupError) as caught:
        build_generator(Settings(generator="nonesuch"), blobs)
    assert all(name in caught.value.hint for name in generator_names())
    assert {"echo", "rxt"} <= set(generator_names())


def test_a_model_without_a_worker_is_refused(blobs):
    with pytest.raises(StartupError, match="model worker"):
        build_generator(Settings(generator="rxt"), blobs)


async def test_two_revisions_of_echo_are_two_models(blobs):
    one, two = (build_generator(Settings(generator=name), blobs) for name in ("echo", "echo-2"))
    assert (await one.identity()).fingerprint != (await two.identity()).fingerprint
    await one.aclose()
    await two.aclose()
