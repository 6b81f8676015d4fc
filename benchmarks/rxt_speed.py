"""What a token, an update and a turn of RxT cost on one thread: python -m benchmarks.rxt_speed

Preset "bench" (width 256, 6 layers, 256 slots, 7,500 words), random weights, prompts and answers of 32 tokens, updates
of 64. Published is the CPU time of the computing thread, and wall time beside it.

* A token: one step of one conversation and the scores of all words; prefill apart.
* The floor of a token: the bytes of weights it reads, over the bandwidth of a sum, repeated, over a buffer of that very
  size. Such a buffer may stay in the processor's cache, as the weights may; the bandwidth over 512 MB, which cannot, is
  given beside it. What is read of the memory is given too, and is not part of the floor.
* Conversations together: threads on one `Batcher`, one conversation each, from the first token of all to the last.
  Prompts are read before.
"""

import argparse
import statistics
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from benchmarks.report import machine, publish, spread
from models.engine.batching import Batcher, one_thread
from models.engine.decoding import FastDecoder
from models.rxt.config import preset
from models.rxt.decoder import KeysValues
from models.rxt.model import Rxt

WORDS = 7500
PROMPT = ANSWER = 32
# rxlm 0.3.80, the same sizes on such a box.
REFERENCE_MS = {"token": 16.9, "update": 61.6, "turn": 628.0}
GOAL_TOKEN, GOAL_FLOOR, GOAL_BATCH = 0.25, 2.0, 6.0
TOGETHER = (1, 4, 16)


@dataclass(slots=True)
class Times:
    """Milliseconds of CPU of this thread, and on the wall."""

    cpu: list[float]
    wall: list[float]

    def published(self) -> dict[str, dict[str, float]]:
        return {"cpu_ms": spread(self.cpu), "wall_ms": spread(self.wall)}

    @property
    def median(self) -> float:
        return statistics.median(self.cpu)


def measure(work: Callable[[], object], repeats: int, inner: int = 1) -> Times:
    """`repeats` times, after a fifth as many that are not kept; `work` does its thing `inner` times."""
    times = Times([], [])
    for number in range(-max(1, repeats // 5), repeats):
        cpu, wall = time.thread_time(), time.perf_counter()
        work()
        if number >= 0:
            times.cpu.append((time.thread_time() - cpu) * 1000 / inner)
            times.wall.append((time.perf_counter() - wall) * 1000 / inner)
    return times


class Bench:
    """The model, and the work to be measured."""

    def __init__(self, seed: int) -> None:
        torch.manual_seed(seed)
        self.model = Rxt(preset("bench", WORDS)).eval().requires_grad_(False)
        self.table = self.model.table()
        self.fast = FastDecoder(self.model, self.table, rows=max(TOGETHER))
        self.prompt = torch.randint(1, WORDS, (PROMPT,)).tolist()
        self.said = torch.randint(1, WORDS, (1, PROMPT + ANSWER))
        self.memory = torch.randn(1, *self.model.start.shape)
        self.projected = self.model.project_memory(self.memory)

    def project(self) -> tuple[KeysValues, ...]:
        with torch.inference_mode():
            return self.model.project_memory(self.memory)

    def prefill(self, memory: tuple[KeysValues, ...] | None = None) -> Tensor:
        return self.fast.prefill(0, self.prompt, memory or self.projected)

    def answer(self, activations: Tensor) -> None:
        """32 tokens, each drawn from the scores after the one before."""
        with torch.inference_mode():
            for _ in range(ANSWER):
                token = int(self.fast.scores(activations).argmax())
                activations = self.fast.step([0], [token])[0:1]

    def tokens(self) -> Times:
        """Of one token; the prefill before is not counted."""
        times = Times([], [])
        for number in range(-10, 60):
            one = self.prefill()[None]
            cpu, wall = time.thread_time(), time.perf_counter()
            self.answer(one)
            if number >= 0:
                times.cpu.append((time.thread_time() - cpu) * 1000 / ANSWER)
                times.wall.append((time.perf_counter() - wall) * 1000 / ANSWER)
        return times

    def update(self) -> None:
        with torch.inference_mode():
            mask = torch.ones_like(self.said, dtype=torch.bool)
            self.model.write(self.memory, self.model.encode(self.said, mask, self.table), mask)

    def turn(self) -> None:
        self.answer(self.prefill(self.project())[None])
        self.update()


def bytes_read(bench: Bench) -> tuple[int, int]:
    """By one token: weights of the decoder and the table; keys and values of the memory."""
    count = bench.table.numel()
    for name, weight in bench.model.decoder.named_parameters():
        # Keys and values of memory are projected once per turn, not once per token; vectors are left out.
        if weight.dim() == 2 and not name.endswith(("memory.key.weight", "memory.value.weight", "null_key")):
            count += weight.numel()
    return 4 * count, 4 * sum(part.numel() for pair in bench.projected for part in pair)


def bandwidth(size: int, repeats: int) -> dict[str, float]:
    """GB/s of reading (sum), and of reading and writing (copy, both counted), medians of CPU time."""
    source = torch.ones(size // 4)
    target = torch.empty_like(source)
    read, copy = measure(source.sum, repeats), measure(lambda: target.copy_(source), repeats)
    return {
        "megabytes": round(size / 1e6, 1),
        "sum_gb_s": round(size / read.median / 1e6, 2),
        "copy_gb_s": round(2 * size / copy.median / 1e6, 2),
    }


def together(bench: Bench, conversations: int) -> tuple[float, float]:
    """Tokens of all conversations per second of CPU of the process, and per second on the wall."""
    batcher = Batcher(bench.fast, rows=conversations)
    allowed = torch.zeros(WORDS)
    barrier = threading.Barrier(conversations + 1)

    def run() -> None:
        one_thread()
        stream = batcher.stream(bench.prompt, bench.projected, allowed, None, ANSWER, -1)
        next(stream)
        barrier.wait()
        barrier.wait()  # here the clock starts
        for _ in stream:
            pass

    threads = [threading.Thread(target=run) for _ in range(conversations)]
    for thread in threads:
        thread.start()
    barrier.wait()
    # What ran ahead while the last prompts were read is not counted.
    left = sum(ANSWER - sequence.count for sequence in batcher._active)
    cpu, wall = time.process_time(), time.perf_counter()
    barrier.wait()
    for thread in threads:
        thread.join()
    return left / (time.process_time() - cpu), left / (time.perf_counter() - wall)


def batches(bench: Bench, repeats: int) -> dict[str, Any]:
    """Interleaved, as the machine's other work changes with time."""
    found: dict[int, list[tuple[float, float]]] = {count: [] for count in TOGETHER}
    for _ in range(repeats):
        for count in TOGETHER:
            found[count].append(together(bench, count))
    rate = {count: statistics.median(cpu for cpu, _ in pairs) for count, pairs in found.items()}
    return {
        "tokens_per_cpu_second": {count: spread([cpu for cpu, _ in pairs], 0) for count, pairs in found.items()},
        "tokens_per_wall_second": {count: spread([wall for _, wall in pairs], 0) for count, pairs in found.items()},
        "times_one": {count: round(rate[count] / rate[1], 2) for count in TOGETHER},
        "goal": {f"{TOGETHER[-1]} at least": GOAL_BATCH},
        "reached": rate[TOGETHER[-1]] >= GOAL_BATCH * rate[1],
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=15)
    parser.add_argument("--seed", type=int, default=7)
    wanted = parser.parse_args()
    one_thread()
    before, bench, repeats = machine(), Bench(wanted.seed), wanted.repeats
    weights, memory = bytes_read(bench)
    near, far = bandwidth(weights, 10 * repeats), bandwidth(512_000_000, max(3, repeats // 3))
    times = {
        "token": bench.tokens(),
        "update": measure(bench.update, repeats),
        "turn": measure(bench.turn, repeats),
        "prefill": measure(bench.prefill, repeats),
        "project_memory": measure(bench.project, repeats),
    }
    floor = weights / near["sum_gb_s"] / 1e6
    ratio = {name: round(times[name].median / of, 3) for name, of in REFERENCE_MS.items()}
    publish(
        {
            "benchmark": "rxt_speed", "machine": before, "torch": torch.__version__, "threads": torch.get_num_threads(),
            "model": bench.model.config.name, "prompt_tokens": PROMPT, "answer_tokens": ANSWER,
            "times": {name: each.published() for name, each in times.items()},
            "reference": {"rxlm_0.3.80_ms": REFERENCE_MS, "ours_over_it": ratio, "goal_token": GOAL_TOKEN,
                          "reached": ratio["token"] <= GOAL_TOKEN},
            "bandwidth": {"of_the_weights_size": near, "of_512_MB": far},
            "floor": {"weight_bytes_per_token": weights, "memory_bytes_per_token": memory,
                      "floor_ms": round(floor, 3), "floor_ms_by_512_MB": round(weights / far["sum_gb_s"] / 1e6, 3),
                      "token_over_floor": round(times["token"].median / floor, 2), "goal": GOAL_FLOOR,
                      "reached": times["token"].median <= GOAL_FLOOR * floor},
            "together": batches(bench, repeats),
        }
    )  # fmt: skip
    return 0


if __name__ == "__main__":
    sys.exit(main())
