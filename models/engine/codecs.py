"""How a memory is kept in a payload: float32, float16 or int8, found by name in `CODECS`.

Notable choices
* A state is rounded when it is made, not when it is stored: a state taken from a cache and the same one read back from
  its payload are equal bit for bit, so replay gives the same hashes either way.
* Rounding twice is rounding once. That is why an int8 slot's scale is a power of two: with the largest number divided
  by 127 as its scale, reading and storing again could move the scale, and with it every number of the slot.
"""

from typing import Protocol

import torch
from torch import Tensor

from models.shapes import Memory

_LARGEST = 127  # of an int8, without the lopsided -128
_HALF = 65504.0  # largest float16
_EXPONENTS = (-120, 120)


class Codec(Protocol):
    """One way to keep memories [L, S, D]."""

    name: str

    def pack(self, memory: Memory) -> dict[str, Tensor]:
        """The tensors of a payload."""
        ...

    def shapes(self, shape: tuple[int, int, int]) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
        """What `pack` gives for a memory of this shape: type and shape by name."""
        ...

    def unpack(self, tensors: dict[str, Tensor]) -> Memory:
        """The memory, float32, from tensors of the right types and shapes."""
        ...


class Float32:
    """4 bytes a number; nothing is rounded."""

    name = "float32"

    def pack(self, memory: Memory) -> dict[str, Tensor]:
        return {"memory": memory.contiguous()}

    def shapes(self, shape: tuple[int, int, int]) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
        return {"memory": (torch.float32, shape)}

    def unpack(self, tensors: dict[str, Tensor]) -> Memory:
        return tensors["memory"]


class Float16:
    """2 bytes a number, 11 significant bits."""

    name = "float16"

    def pack(self, memory: Memory) -> dict[str, Tensor]:
        return {"memory": memory.clamp(-_HALF, _HALF).half().contiguous()}

    def shapes(self, shape: tuple[int, int, int]) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
        return {"memory": (torch.float16, shape)}

    def unpack(self, tensors: dict[str, Tensor]) -> Memory:
        return tensors["memory"].float()


class Int8:
    """1 byte a number and one exponent a slot: `number = int8 * 2 ** exponent`, the largest of a slot 64 to 127."""

    name = "int8"

    def pack(self, memory: Memory) -> dict[str, Tensor]:
        mantissa, exponent = torch.frexp(memory.abs().amax(-1))
        exponent = exponent - torch.where(mantissa * 128 > _LARGEST, 6, 7)
        exponent = exponent.clamp(*_EXPONENTS)
        scaled = torch.ldexp(memory, -exponent[..., None]).round().clamp(-_LARGEST, _LARGEST)
        return {"memory": scaled.to(torch.int8).contiguous(), "memory_exponent": exponent.to(torch.int8).contiguous()}

    def shapes(self, shape: tuple[int, int, int]) -> dict[str, tuple[torch.dtype, tuple[int, ...]]]:
        return {"memory": (torch.int8, shape), "memory_exponent": (torch.int8, shape[:2])}

    def unpack(self, tensors: dict[str, Tensor]) -> Memory:
        return torch.ldexp(tensors["memory"].float(), tensors["memory_exponent"].int()[..., None])


CODECS: dict[str, Codec] = {codec.name: codec for codec in (Float32(), Float16(), Int8())}


def rounded(memory: Memory, codec: Codec) -> Memory:
    """The memory as it will be read back."""
    return codec.unpack(codec.pack(memory))
