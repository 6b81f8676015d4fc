"""What can go wrong in neural code, as one tree.

ModelError
  CheckpointCorrupt   the released files are not the ones that were released
  StateRejected
    StateMismatch     a sound state of another model; `fields` names what differs
    StateCorrupt      truncated, malformed, of wrong shapes, or not finite
  DeviceUnavailable   a device was asked for that is not here
  EmbedderUnavailable the sentence encoder's weights are missing or are not the expected ones
"""

from collections.abc import Sequence


class ModelError(Exception):
    """Neural code refused its input."""

    code = "model_error"


class CheckpointCorrupt(ModelError):
    """A checkpoint is missing or its SHA-256 is not the recorded one."""

    code = "checkpoint_corrupt"


class StateRejected(ModelError):
    """A state payload cannot be used by this model."""

    code = "state_rejected"

    def __init__(self, message: str, fields: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.fields = tuple(fields)


class StateMismatch(StateRejected):
    """A state of another model."""

    code = "state_mismatch"


class StateCorrupt(StateRejected):
    """A damaged state."""

    code = "state_corrupt"


class EmbedderUnavailable(ModelError):
    """The sentence encoder cannot be loaded."""

    code = "embedder_unavailable"


class DeviceUnavailable(ModelError):
    """The device asked for is not on this machine."""

    code = "device_unavailable"
