"""Tiny sentence encoders in the layout of sentence-transformers, with weights from a seed: one of each architecture,
and of each pooling. Nothing but what is written here makes them, so the vectors that the reference gave for them stay
true.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save_file
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

WIDTH, HEADS, LAYERS, INNER, POSITIONS, MOST_TOKENS = 32, 4, 2, 64, 40, 16
SPECIAL = ["<s>", "<pad>", "</s>", "<unk>"]
WORDS = "a an the my dog cat man is was eating food riding horse again and over quick brown fox jumps lazy .".split()
POOLINGS = {"bert": "cls_token", "mpnet": "mean_tokens", "xlm-roberta": "max_tokens", "roberta": "mean_sqrt_len_tokens"}
KINDS = tuple(POOLINGS)
TEXTS = ["A man is eating food .", "my dog", "the quick brown fox jumps over the lazy dog " * 4, "", "unheard of words"]


def make_folder(folder: Path, kind: str, *, seed: int = 0, newer: bool = False, **config: Any) -> Path:
    """`newer`: as releases of sentence-transformers from 6 on write it."""
    folder.mkdir(parents=True)
    rng = np.random.Generator(np.random.PCG64(seed))
    bert = kind == "bert"
    body: dict[str, Any] = {
        "model_type": kind, "vocab_size": len(SPECIAL) + len(WORDS), "hidden_size": WIDTH, "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS, "intermediate_size": INNER, "max_position_embeddings": POSITIONS,
        "pad_token_id": 1, "type_vocab_size": 2 if bert else 1, "layer_norm_eps": 1e-12 if bert else 1e-5,
        "hidden_act": "gelu", "bos_token_id": 0, "eos_token_id": 2, "relative_attention_num_buckets": 32,
    }  # fmt: skip
    save_file(_tensors(kind, rng, body["vocab_size"]), folder / "model.safetensors")
    _tokenizer().save(str(folder / "tokenizer.json"))
    prefix = "sentence_transformers.base.modules" if newer else "sentence_transformers.models"
    kinds = ("Transformer", "Pooling", "Normalize")
    paths = ("", "1_Pooling", "2_Normalize")
    listed = [{"idx": n, "name": str(n), "path": path, "type": f"{prefix}.{name}"}
              for n, (name, path) in enumerate(zip(kinds, paths, strict=True))]  # fmt: skip
    asked = {"model_max_length": MOST_TOKENS, "pad_token": "<pad>", "cls_token": "<s>", "sep_token": "</s>",
             "unk_token": "<unk>", "tokenizer_class": "PreTrainedTokenizerFast"}  # fmt: skip
    for name in paths[1:]:
        (folder / name).mkdir()
    _write(folder / "config.json", body | config)
    _write(folder / "modules.json", listed)
    _write(folder / "tokenizer_config.json", asked)
    if newer:
        _write(folder / "1_Pooling/config.json", {"embedding_dimension": WIDTH, "pooling_mode": "mean"})
    else:
        _write(folder / "sentence_bert_config.json", {"max_seq_length": MOST_TOKENS, "do_lower_case": False})
        on = {"word_embedding_dimension": WIDTH} | {f"pooling_mode_{mode}": False for mode in POOLINGS.values()}
        _write(folder / "1_Pooling/config.json", on | {f"pooling_mode_{POOLINGS[kind]}": True})
    return folder


def _tensors(kind: str, rng: np.random.Generator, words: int) -> dict[str, Any]:
    found: dict[str, Any] = {}

    def matrix(name: str, *shape: int) -> None:
        found[name] = (rng.standard_normal(shape) * 0.3).astype(np.float32)

    def layer(name: str, out: int, width: int) -> None:
        matrix(f"{name}.weight", out, width)
        matrix(f"{name}.bias", out)

    def norm(name: str) -> None:
        found[f"{name}.weight"] = (1 + rng.standard_normal(WIDTH) * 0.1).astype(np.float32)
        matrix(f"{name}.bias", WIDTH)

    matrix("embeddings.word_embeddings.weight", words, WIDTH)
    matrix("embeddings.position_embeddings.weight", POSITIONS, WIDTH)
    norm("embeddings.LayerNorm")
    if kind == "mpnet":
        matrix("encoder.relative_attention_bias.weight", 32, HEADS)
    else:
        matrix("embeddings.token_type_embeddings.weight", 2 if kind == "bert" else 1, WIDTH)
    for number in range(LAYERS):
        name = f"encoder.layer.{number}"
        attention = "attention.attn" if kind == "mpnet" else "attention.self"
        for part in ("q", "k", "v") if kind == "mpnet" else ("query", "key", "value"):
            layer(f"{name}.{attention}.{part}", WIDTH, WIDTH)
        layer(f"{name}.attention.attn.o" if kind == "mpnet" else f"{name}.attention.output.dense", WIDTH, WIDTH)
        norm(f"{name}.attention.LayerNorm" if kind == "mpnet" else f"{name}.attention.output.LayerNorm")
        layer(f"{name}.intermediate.dense", INNER, WIDTH)
        layer(f"{name}.output.dense", WIDTH, INNER)
        norm(f"{name}.output.LayerNorm")
    return found


def _tokenizer() -> Tokenizer:
    made = Tokenizer(models.WordLevel({w: n for n, w in enumerate(SPECIAL + WORDS)}, unk_token="<unk>"))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    made.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return made


def _write(path: Path, body: Any) -> None:
    path.write_text(json.dumps(body))
