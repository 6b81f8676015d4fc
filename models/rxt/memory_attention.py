"""Memory attention by name: how one interaction's encoding is written into the slots (paper, section 3.3).

"selective" is the shipped one (`models.rxt.memory_selective`), the others are the paper's
(`models.rxt.memory_published`). Every one of them runs with every gate of `models.rxt.gates`.
"""

from collections.abc import Callable

from models.rxt.config import RxtConfig
from models.rxt.memory_published import AttendingLayer, GatedInterlayerLayer, GatedSelfLayer, SimpleLayer
from models.rxt.memory_selective import SelectiveLayer
from models.rxt.memory_writer import GroupWriter, InterlayerWriter, LayerWriter, MemoryWriter


def _layers(kind: type[LayerWriter], config: RxtConfig) -> list[LayerWriter]:
    return [kind(config) for _ in range(config.layers)]


MEMORY_ATTENTION: dict[str, Callable[[RxtConfig], MemoryWriter]] = {
    "selective": lambda config: MemoryWriter(_layers(SelectiveLayer, config)),
    "simple": lambda config: MemoryWriter(_layers(SimpleLayer, config)),
    "self": lambda config: MemoryWriter(_layers(AttendingLayer, config)),
    "interlayer": lambda config: InterlayerWriter(_layers(AttendingLayer, config)),
    "gated_self": lambda config: InterlayerWriter(_layers(GatedSelfLayer, config)),
    "gated_interlayer": lambda config: InterlayerWriter(_layers(GatedInterlayerLayer, config)),
    "grouped": lambda config: GroupWriter(_layers(AttendingLayer, config), config.groups),
}
