"""How fast texts become vectors, and how near to the reference: python -m benchmarks.embedders [--service]

Texts per CPU second of one thread, alone and 32 at a time, of the ways to compute all-MiniLM-L6-v2 that were weighed:
as it is usually written (padded, float32), the same compiled (`--compiled`), without padding by either library of
matrix products, in bfloat16, in eight bits per channel; and by ONNX Runtime where it is installed and `--onnx FOLDER`
holds models (inputs `ids`, `pos`, `bias`; output [B, N, D]). The ways take turns and the best round of each counts,
since the machine is shared. `cosine` is the mean with padded float32; below .999 a way does not count.

`--service`: the same texts from a model worker over HTTP, by eight callers at once, against the encoder in this process
fed 32 at a time; CPU seconds of the worker's process and of this one, by turns.
"""

import argparse
import asyncio
import os
import random
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional as F

from benchmarks.report import machine, publish
from memos.generation.worker_client import ModelWorkerClient
from models.embed import SentenceEncoder
from models.embed.folder import Folder, read_folder
from models.embed.linear import Kernel, Linear, linear, precision_here
from models.embed.sentence_encoder import packaged_folder
from models.embed.transformer import Transformer
from tests.generation.worker_process import WorkerProcess

GOAL_COSINE, GOAL_SERVICE, BATCH, CALLERS = 0.999, 0.9, 32, 8
Vectors = NDArray[np.float32]
Encode = Callable[[Sequence[str]], Vectors]


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--texts", type=int, default=256)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--compiled", action="store_true", help="also torch.compile, which takes a minute to begin")
    parser.add_argument("--onnx", type=Path, help="a folder with minilm.onnx")
    parser.add_argument("--service", action="store_true", help="only: through the model worker")
    wanted = parser.parse_args()
    torch.set_num_threads(1)
    os.environ["TOKENIZERS_PARALLELISM"] = "false"
    folder = read_folder(packaged_folder())
    texts = sentences(folder, wanted.texts)
    lengths = [len(encoding.ids) for encoding in folder.tokenizer.encode_batch(texts)]
    figures: dict[str, Any] = {"benchmark": "embedders", "machine": machine(), "texts": len(texts)}
    figures |= {"tokens_mean": round(float(np.mean(lengths)), 1), "tokens_most": max(lengths)}
    if wanted.service:
        figures["service"] = asyncio.run(through_the_service(texts, wanted.rounds))
    else:
        figures |= {"chosen_here": f"packed {precision_here()}", "goal_cosine": GOAL_COSINE}
        figures["ways"] = compared(ways(folder, wanted.compiled, wanted.onnx), texts, wanted.rounds)
    publish(figures)
    return 0


def sentences(folder: Folder, count: int) -> list[str]:
    """Words of the vocabulary, in texts as long as those of chats."""
    chance = random.Random(5)
    words = sorted(word for word in folder.tokenizer.get_vocab() if word.isalpha() and word.isascii() and len(word) > 2)
    return [
        " ".join(chance.choices(words, k=max(1, min(240, int(chance.lognormvariate(3.2, 0.6)))))) for _ in range(count)
    ]


def ways(folder: Folder, compiled: bool, onnx: Path | None) -> dict[str, Encode]:
    padded = Padded(folder)
    found: dict[str, Encode] = {"padded float32": padded}
    if compiled:
        found["padded float32, compiled"] = Padded(folder, torch.compile(padded.computed, dynamic=True))
    kernels: dict[str, tuple[str, Kernel]] = {
        "packed float32, F.linear": ("float32", lambda weight, bias: lambda x: F.linear(x, weight, bias)),
        "packed float32": ("float32", linear),
        "packed bfloat16": ("bfloat16", linear),
        "packed int8 per channel": ("float32", _eight_bits),
    }
    for name, (precision, kernel) in kernels.items():
        made = Transformer(folder.recipe, folder.tensors, precision, kernel)
        found[name] = SentenceEncoder(made, folder.tokenizer, folder.sha256, folder.recipe).encode
    for file in sorted(onnx.glob("*.onnx")) if onnx is not None else ():
        found[f"ONNX Runtime, {file.stem}"] = Padded(folder, _onnx(file))
    return found


def compared(encoders: dict[str, Encode], texts: Sequence[str], rounds: int) -> dict[str, Any]:
    spent: dict[tuple[str, int], list[float]] = {}
    made: dict[str, Vectors] = {}
    for number in range(rounds + 1):
        for size in (1, BATCH):
            some = texts if size == BATCH else texts[: max(1, len(texts) // 4)]
            for name, encode in encoders.items():
                took_s, vectors = _spent(encode, some, size)
                if number:  # the first round warms up
                    spent.setdefault((name, size), []).append(took_s / len(some))
                if size == BATCH:
                    made[name] = vectors
    reference = made["padded float32"]
    return {
        name: {
            "texts_per_cpu_s_alone": round(1 / min(spent[name, 1]), 1),
            "texts_per_cpu_s_together": round(1 / min(spent[name, BATCH]), 1),
            "cosine": round(float((made[name] * reference).sum(1).mean()), 6),
            "counts": bool((made[name] * reference).sum(1).mean() >= GOAL_COSINE),
        }
        for name in encoders
    }


async def through_the_service(texts: Sequence[str], rounds: int) -> dict[str, Any]:
    encoder = SentenceEncoder.load()
    own, there, alone = [], [], []
    with tempfile.TemporaryDirectory() as folder:
        worker = WorkerProcess(Path(folder) / "worker", (Path(folder) / "blobs").as_uri())
        client = ModelWorkerClient(worker.url)
        try:
            for number in range(rounds + 1):
                own_s, expected = await asyncio.to_thread(_spent, encoder.encode, texts, BATCH)
                together_s, got = await _called(client, worker, texts, BATCH)
                single_s, _ = await _called(client, worker, texts, 1)
                if number:
                    own.append(own_s)
                    there.append(together_s)
                    alone.append(single_s)
        finally:
            await client.aclose()
            worker.stop()
    ratio = min(own) / min(there)
    return {
        "callers": CALLERS,
        "own_texts_per_cpu_s": round(len(texts) / min(own), 1),
        "service_texts_per_cpu_s": round(len(texts) / min(there), 1),
        "service_of_own": round(ratio, 3),
        "service_of_own_one_text_a_call": round(min(own) / min(alone), 3),
        "goal": GOAL_SERVICE,
        "met": ratio >= GOAL_SERVICE,
        "least_cosine": round(float((got * expected).sum(1).min()), 6),
    }


async def _called(
    client: ModelWorkerClient, worker: WorkerProcess, texts: Sequence[str], size: int
) -> tuple[float, Vectors]:
    vectors = np.empty((len(texts), 384), np.float32)
    places = iter(range(0, len(texts), size))

    async def caller() -> None:
        for at in places:
            vectors[at : at + size] = (await client.embed(texts[at : at + size])).vectors

    began_s = _cpu_s(worker.process.pid)
    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return _cpu_s(worker.process.pid) - began_s, vectors


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _spent(encode: Encode, texts: Sequence[str], size: int) -> tuple[float, Vectors]:
    began_s = time.process_time()
    vectors = [encode(texts[at : at + size]) for at in range(0, len(texts), size)]
    return time.process_time() - began_s, np.concatenate(vectors)


class Padded:
    """The encoder as it is usually written: every text as long as the longest, and what is padding masked."""

    def __init__(self, folder: Folder, compute: Callable[[Tensor, Tensor], Tensor] | None = None) -> None:
        self._folder = folder
        self._compute = compute or self.computed

    def __call__(self, texts: Sequence[str]) -> Vectors:
        ids = [encoding.ids for encoding in self._folder.tokenizer.encode_batch(list(texts))]
        tokens = torch.zeros(len(ids), max(map(len, ids)), dtype=torch.int64)
        for row, own in enumerate(ids):
            tokens[row, : len(own)] = torch.tensor(own)
        mask = tokens != 0
        with torch.inference_mode():
            x = self._compute(tokens, mask)
            shares = mask[..., None].float()
            vectors: Vectors = F.normalize((x * shares).sum(1) / shares.sum(1), dim=-1).numpy()
        return vectors

    def computed(self, tokens: Tensor, mask: Tensor) -> Tensor:
        """[B, N] -> [B, N, D]"""
        held, recipe = self._folder.tensors, self._folder.recipe

        def layer(name: str, x: Tensor) -> Tensor:
            return F.linear(x, held[f"{name}.weight"], held[f"{name}.bias"])

        def norm(name: str, x: Tensor) -> Tensor:
            return F.layer_norm(x, (recipe.width,), held[f"{name}.weight"], held[f"{name}.bias"], recipe.eps)

        table = "embeddings"
        x = held[f"{table}.word_embeddings.weight"][tokens] + held[f"{table}.token_type_embeddings.weight"][0]
        x = norm(f"{table}.LayerNorm", x + held[f"{table}.position_embeddings.weight"][: tokens.shape[1]])
        for number in range(recipe.layers):
            name = f"encoder.layer.{number}"
            parts = [layer(f"{name}.attention.self.{part}", x) for part in ("query", "key", "value")]
            query, key, value = (part.view(*tokens.shape, recipe.heads, -1).transpose(1, 2) for part in parts)
            mixed = F.scaled_dot_product_attention(query, key, value, attn_mask=mask[:, None, None, :])
            attended = layer(f"{name}.attention.output.dense", mixed.transpose(1, 2).reshape(x.shape))
            x = norm(f"{name}.attention.output.LayerNorm", x + attended)
            inner = layer(f"{name}.output.dense", F.gelu(layer(f"{name}.intermediate.dense", x)))
            x = norm(f"{name}.output.LayerNorm", x + inner)
        return x


def _eight_bits(weight: Tensor, bias: Tensor) -> Linear:
    from torch.ao.quantization import per_channel_dynamic_qconfig, quantize_dynamic

    whole = torch.nn.Linear(weight.shape[1], weight.shape[0])
    whole.weight.data, whole.bias.data = weight, bias
    made: Linear = quantize_dynamic(torch.nn.Sequential(whole), {torch.nn.Linear: per_channel_dynamic_qconfig})
    return made


def _onnx(file: Path) -> Callable[[Tensor, Tensor], Tensor]:
    import onnxruntime  # type: ignore[import-not-found]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])

    def compute(tokens: Tensor, mask: Tensor) -> Tensor:
        bias = torch.where(mask, 0.0, -1e9)[:, None, None, :]
        inputs = {"ids": tokens.numpy(), "pos": np.arange(tokens.shape[1]), "bias": bias.numpy()}
        return torch.from_numpy(session.run(None, inputs)[0])

    return compute


if __name__ == "__main__":
    sys.exit(main())
