"""How a linear layer is computed, by precision; the registry picks one for this machine.

Notable choices
* The weights are handed to oneDNN once, laid out as it wants them: on some processors the library that `F.linear` calls
  runs at half the speed. Where that operator is missing, `F.linear` serves.
* bfloat16 is used where the processor multiplies it (AVX-512 BF16 or AMX): twice as fast as float32 there, with a mean
  cosine of .99996 to its vectors (docs/decisions/0021); elsewhere it would be slower, and float32 is used.
* Both give a row the same result whatever rows are beside it.
"""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional as F

Linear = Callable[[Tensor], Tensor]  # [N, in] -> [N, out]
Kernel = Callable[[Tensor, Tensor], Linear]  # of a weight [out, in] and a bias [out]
TYPICAL_ROWS = 512  # the layout is chosen for about this many tokens


def precision_here() -> str:
    """`bfloat16` or `float32`."""
    able = (getattr(torch.cpu, name, None) for name in ("_is_avx512_bf16_supported", "_is_amx_tile_supported"))
    return "bfloat16" if any(check is not None and check() for check in able) else "float32"


DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def linear(weight: Tensor, bias: Tensor) -> Linear:
    """The layer x @ weight.T + bias, in the precision of its weight."""
    if not torch._C._has_mkldnn or not hasattr(torch.ops.mkldnn, "_linear_pointwise"):
        return lambda x: F.linear(x, weight, bias)
    laid_out = torch.ops.mkldnn._reorder_linear_weight(weight.contiguous(), TYPICAL_ROWS)
    apply = torch.ops.mkldnn._linear_pointwise.default

    def layer(x: Tensor) -> Tensor:
        result: Tensor = apply(x, laid_out, bias, "none", [], "")
        return result

    return layer
