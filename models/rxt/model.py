"""The whole model: token table, encoder, memory attention, decoder; `write` makes memory, `decode` reads it.

Notable choices
* The token table is tied to the output and shared by encoder and decoder. Known words are learned; the rows of unknown
  words are frozen random vectors, all alike to the model, so a word never seen in training is handled as well as a row
  that was: whoever keeps the state keeps the list that turns a row back into a word (`models.text.lexicon`).
* Inputs are scaled up (x 8 at unit-norm rows), so that a token's identity outweighs what layers add to it.
* Methods are pure: memory goes in, memory comes out.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from models.rxt.config import RxtConfig
from models.rxt.decoder import Decoder, DecoderCache, KeysValues
from models.rxt.encoder import Encoder
from models.rxt.memory_attention import MEMORY_ATTENTION
from models.rxt.memory_writer import MemoryWriter, Written
from models.shapes import Activations, EncodedLayers, Logits, Memory, TokenMask, Tokens

INPUT_SCALE = 8.0
START_SEED = 2510_03561


def start_slots(config: RxtConfig) -> Memory:
    """[L, S, D], different for every slot and the same for every model of these sizes, whatever its training's seed."""
    generator = torch.Generator("cpu").manual_seed(START_SEED)
    return torch.randn(config.layers, config.slots, config.width, generator=generator, device="cpu") * 0.25


class Rxt(nn.Module):
    """A Reactive Transformer (paper, section 3). All tensors are float32."""

    start: Tensor
    row_table: Tensor

    def __init__(self, config: RxtConfig) -> None:
        super().__init__()
        self.config = config
        deviation = config.width**-0.5
        self.word_table = nn.Parameter(torch.randn(config.words, config.width) * deviation)
        self.register_buffer("row_table", torch.randn(config.rows, config.width) * deviation)
        self.encoder = Encoder(config)
        self.memory_attention = MEMORY_ATTENTION[config.memory_attention](config)
        self.decoder = Decoder(config)
        # Equal slots would never separate, so the start is random; it is fixed, so it belongs to the checkpoint.
        self.register_buffer("start", start_slots(config).to(self.word_table.device))

    @property
    def writer(self) -> MemoryWriter:
        """What writes interactions into memory."""
        return self.memory_attention

    def table(self, rows: Tensor | None = None) -> Tensor:
        """Vectors of all known words and of `rows` (int64 [R'], None for every row): [V + R', D]."""
        chosen = self.row_table if rows is None else self.row_table[rows]
        return torch.cat((self.word_table, chosen), dim=0)

    def embed(self, tokens: Tokens, mask: TokenMask, table: Tensor) -> Activations:
        """Scaled vectors [B, N, D] of tokens that index `table`; zero where `mask` is False."""
        return F.embedding(tokens, table) * INPUT_SCALE * mask[..., None]

    def encode(self, tokens: Tokens, mask: TokenMask, table: Tensor) -> EncodedLayers:
        """Encodes interactions [B, N]; they do not see the memory nor each other."""
        out: Tensor = self.encoder(self.embed(tokens, mask, table), mask)
        return out

    def start_memory(self, batch: int) -> Memory:
        """The fixed start state, B times."""
        return self.start[None].expand(batch, -1, -1, -1)

    def write(self, memory: Memory, encoded: EncodedLayers, mask: TokenMask) -> Written:
        """One memory update. An interaction without tokens changes nothing."""
        out: Written = self.writer(memory, self.writer.project(encoded), mask)
        return out

    def project_memory(self, memory: Memory, recalled: Memory | None = None) -> tuple[KeysValues, ...]:
        """What the decoder needs of the memory, once per turn."""
        return self.decoder.project_memory(memory, recalled)

    def decode(
        self, tokens: Tokens, mask: TokenMask, table: Tensor, memory: tuple[KeysValues, ...], cache: DecoderCache | None
    ) -> tuple[Activations, DecoderCache]:
        """Activations [B, N, D] after each token. Padding must come last: nothing masks it for what follows."""
        if cache is None:
            cache = self.decoder.start(tokens.shape[0], self.config.width)
        out: tuple[Tensor, DecoderCache] = self.decoder(self.embed(tokens, mask, table), memory, cache)
        return out

    def logits(self, activations: Activations, table: Tensor) -> Logits:
        """Scores of every vector in `table`."""
        return activations @ table.T
