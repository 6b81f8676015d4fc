"""CUDA against the CPU: `make test-gpu` on a machine that has one."""

from concurrent.futures import ThreadPoolExecutor

import pytest
import torch

from models.engine import DeviceUnavailable, RxtEngine
from models.engine.device import device_of
from tests.models.helpers import UNRELATED, answer, say

TOLD = ("My dog is called Biscuit.", "My favourite colour is teal.", *UNRELATED)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device here")
def test_without_a_device_auto_is_the_cpu_and_cuda_is_refused():
    assert device_of("auto").type == device_of("cpu").type == "cpu"
    with pytest.raises(DeviceUnavailable):
        device_of("cuda")
    with pytest.raises(DeviceUnavailable):
        device_of("tpu")


@pytest.mark.gpu
def test_auto_takes_cuda():
    assert device_of("auto").type == "cuda"


@pytest.mark.gpu
def test_a_state_is_the_same_on_both_devices():
    cpu, cuda = RxtEngine.load(device="cpu"), RxtEngine.load(device="cuda")
    assert cpu.identity["numerics"] != cuda.identity["numerics"]
    one, other = say(cpu, cpu.start_state(), *TOLD), say(cuda, cuda.start_state(), *TOLD)
    torch.testing.assert_close(one.memory, other.memory, atol=1e-3, rtol=1e-3)
    for question in ("What is my dog called?", "What is my favourite colour?"):
        assert answer(cpu, one, question) == answer(cuda, other, question)


@pytest.mark.gpu
def test_advance_repeats_its_bits_on_cuda():
    engine = RxtEngine.load(device="cuda")
    one, other = (say(engine, engine.start_state(), *TOLD) for _ in range(2))
    assert engine.dump_state(one) == engine.dump_state(other)


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def test_decoding_in_bfloat16_gives_the_same_short_answers(device):
    exact, short = RxtEngine.load(device=device), RxtEngine.load(device=device, precision="bfloat16")
    assert exact.fingerprint == short.fingerprint  # states are written in float32 either way
    state = say(exact, exact.start_state(), *TOLD)
    for question in ("What is my dog called?", "What is my favourite colour?"):
        assert answer(short, state, question) == answer(exact, state, question)


@pytest.mark.gpu
def test_threads_are_decoded_together_on_cuda():
    engine = RxtEngine.load(device="cuda")
    state = say(engine, engine.start_state(), *TOLD)
    questions = ["What is my dog called?", "What is my favourite colour?", "Hello."] * 8
    alone = [answer(engine, state, question) for question in questions]
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda question: answer(engine, state, question), questions)) == alone
