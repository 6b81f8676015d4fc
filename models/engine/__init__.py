"""The text-level engine: what a model worker process calls. State goes in, state comes out.

engine = RxtEngine.load()
state = engine.start_state()
answer = "".join(engine.generate(state, "My dog is called Biscuit."))
state = engine.advance(state, "My dog is called Biscuit.", answer).state
"""

from models.engine.comparing import Difference, SlotDrift, TensorChange
from models.engine.deltas import Delta
from models.engine.engine import Finish, RxtEngine, Step
from models.engine.provenance import SlotRead, SlotWrite
from models.errors import (
    CheckpointCorrupt,
    DeltaCorrupt,
    DeltaMismatch,
    DeviceUnavailable,
    StateCorrupt,
    StateMismatch,
    StateRejected,
)
from models.rxt.state import State

__all__ = [
    "CheckpointCorrupt",
    "Delta",
    "DeltaCorrupt",
    "DeltaMismatch",
    "DeviceUnavailable",
    "Difference",
    "Finish",
    "RxtEngine",
    "SlotDrift",
    "SlotRead",
    "SlotWrite",
    "State",
    "StateCorrupt",
    "StateMismatch",
    "StateRejected",
    "Step",
    "TensorChange",
]
