"""What the service answers about embedding models, as values. See `models` for the base of all of them."""

from typing import Any

from memos.sdk.models import Model


class EmbeddingModel(Model):
    """A model by its id, and whether it can compute now; if not, `reason` says why."""

    model: str
    available: bool
    reason: str | None = None


class ModelInUse(EmbeddingModel):
    """A model that searches use, of how many owners' memories. While it is not available they go by words alone."""

    scopes: int


class Switching(Model):
    """An owner's memories on their way to the model in force; `done` of `total` are embedded by it."""

    scope_id: str
    embedder: str
    next_embedder: str | None = None
    status: str | None = None
    done: int | None = None
    total: int | None = None
    error: dict[str, Any] | None = None


class EmbedderStatus(Model):
    """The model in force, those that searches use, and what goes from one to another. `dense_off`: some memories are
    found by their words alone, since their model is not there."""

    in_force: EmbeddingModel
    in_use: list[ModelInUse]
    switching: list[Switching]
    dense_off: bool


class EmbedderSwitch(Model):
    """How many owners' memories are queued to be embedded anew for the model in force."""

    model: str
    queued: int
