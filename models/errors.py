"""What can go wrong in neural code, as one tree.

ModelError
  CheckpointCorrupt   the released files are not the ones that were released
  StateRejected
    StateMismatch     a sound state of another model; `fields` names what differs
    StateCorrupt      truncated, malformed, of wrong shapes, or not finite
    DeltaMismatch     a sound delta of another model, or of a kind that is not known here
    DeltaCorrupt      a delta that is truncated, malformed, of wrong shapes, or not finite
  NothingToTeach      nothing in what a delta was to learn can be asked for
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


class DeltaMismatch(StateRejected):
    """A delta of another model."""

    code = "delta_mismatch"


class DeltaCorrupt(StateRejected):
    """A damaged delta."""

    code = "delta_corrupt"


class NothingToTeach(ModelError):
    """What a delta was to learn holds nothing that the model could be asked for."""

    code = "nothing_to_teach"


class EmbedderUnavailable(ModelError):
    """The sentence encoder cannot be loaded."""

    code = "embedder_unavailable"


class DeviceUnavailable(ModelError):
    """The device asked for is not on this machine."""

    code = "device_unavailable"
