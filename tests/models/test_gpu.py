"""CUDA against the CPU: `make test-gpu` on a machine that has one."""

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
