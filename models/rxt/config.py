"""Configuration of a Reactive Transformer, with named presets.

Notable choices
* A config says everything that decides shapes or arithmetic, and nothing about training.
* Variants are names looked up in a registry, never flags inside a class: `attention` (`models.rxt.attention`),
  `feed_forward`, `memory_attention`, `gate` (`models.rxt.gates`), `memory_cross`. An unknown name is a KeyError when
  the model is built.
"""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class RxtConfig:
    """Sizes in elements; see the legend in `models.shapes`."""

    name: str
    words: int  # V, known words; fixed by the tokenizer
    rows: int = 4096  # R, frozen random rows for words the model never saw
    width: int = 128  # D
    layers: int = 2  # L
    heads: int = 4  # H of self-attention
    memory_heads: int = 2  # H of memory attention and memory cross-attention: wide heads bind, narrow ones do not
    slots: int = 64  # S
    ffn: int = 256  # F
    attention: str = "mha"
    kv_heads: int | None = None  # G, key-value heads; None: as many as the attention variant has query heads
    feed_forward: str = "swiglu"  # of the decoder; the encoder's is always dense
    experts: int = 0  # E, of a mixture of experts, each F wide
    experts_active: int = 0  # of them, for each token
    memory_attention: str = "selective"
    groups: int = 1  # of layers, in grouped memory attention
    gate: str = "query_new"
    memory_cross: str = "plain"  # what a config that does not name it means; new models have "content"
    window_before: int = 4  # neighbours to the left that are summed into an input
    window_after: int = 3  # neighbours to the right (encoder only)
    max_query: int = 40  # tokens of one prompt segment seen at once
    max_answer: int = 28  # tokens of one answer

    def __post_init__(self) -> None:
        """Raises ValueError when the sizes do not fit together."""
        for count, what in ((self.heads, "heads"), (self.memory_heads, "memory_heads")):
            if self.width % count:
                raise ValueError(f"width {self.width} is not a multiple of {what} {count}")
        if not 0 <= self.experts_active <= self.experts or (self.experts > 0 and self.experts_active == 0):
            raise ValueError(f"{self.experts_active} of {self.experts} experts cannot be active")
        if self.groups < 1 or self.layers % self.groups:
            raise ValueError(f"{self.layers} layers do not make {self.groups} equal groups")

    def as_dict(self) -> dict[str, Any]:
        """The config as JSON-able values, in the order of the fields."""
        return asdict(self)


# The paper's. Published: parameters (12M, 26M, 100M, 160M); width, layers, heads and slots of Nano, Micro and Mini;
# 12 experts, 2 of them active, at Nano's size; SQA; a dense encoder; about 7,500 words. Ours, so that the parameters
# come out within a tenth: F, the other numbers of experts, the sizes of Synthetic, which memory attention and gate.
PUBLISHED: dict[str, Any] = {
    "rows": 0,
    "heads": 8,
    "memory_heads": 8,
    "slots": 256,
    "attention": "sqa",
    "feed_forward": "moe",
    "memory_attention": "gated_self",
    "gate": "sigmoid_elementwise",
    "memory_cross": "rotary",
    "window_before": 0,
    "window_after": 0,
}
LARGE: dict[str, Any] = {**PUBLISHED, "layers": 8, "heads": 16, "memory_heads": 16, "slots": 1024, "ffn": 512}

PRESETS: dict[str, dict[str, Any]] = {
    # The released checkpoint.
    "shipped": {"name": "rxt-rows-128", "slots": 64, "memory_cross": "content"},
    # For tests: every mechanism, no knowledge.
    "tiny": {
        "name": "rxt-tiny",
        "rows": 64,
        "width": 16,
        "heads": 2,
        "slots": 4,
        "ffn": 32,
        "memory_cross": "content",
    },
    # For figures of speed; 7,500 words.
    "bench": {
        "name": "rxt-bench-256",
        "rows": 0,
        "width": 256,
        "layers": 6,
        "heads": 8,
        "slots": 256,
        "ffn": 512,
        "memory_cross": "content",
        "window_before": 0,
        "window_after": 0,
    },
    "nano": {**PUBLISHED, "name": "rxt-nano", "layers": 6, "ffn": 320, "experts": 12, "experts_active": 2},
    "micro": {**PUBLISHED, "name": "rxt-micro", "layers": 6, "ffn": 256, "experts": 40, "experts_active": 4},
    "mini": {**LARGE, "name": "rxt-mini", "width": 256, "experts": 28, "experts_active": 4},
    "synthetic": {**LARGE, "name": "rxt-synthetic", "width": 384, "experts": 28, "experts_active": 4},
}


def preset(name: str, words: int) -> RxtConfig:
    """The named preset for a tokenizer of `words` known words. Raises KeyError for an unknown name."""
    return RxtConfig(words=words, **PRESETS[name])
