"""The embedding model over REST."""

from typing import Any, Literal

from pydantic import Field

from memos.kit.schema import Answer


class EmbeddingModel(Answer):
    """A model by its id, and whether it can compute now."""

    model: str = Field(description="What vectors are stored under: the configured name, a digest, the dimensions.")
    available: bool
    reason: str | None = Field(description="Why it is not available.")


class ModelInUse(EmbeddingModel):
    """A model that searches use. While it is not available, they go by words, times and names alone."""

    scopes: int = Field(description="How many owners' memories are searched by it.")


class Switching(Answer):
    """An owner's memories on their way to the model in force."""

    scope_id: str
    embedder: str = Field(description="What searches use until everything is embedded anew.")
    next_embedder: str | None
    status: Literal["queued", "running", "done", "failed"] | None = Field(description="Of the job that is at it.")
    done: int | None
    total: int | None
    error: dict[str, Any] | None


class EmbedderStatus(Answer):
    """`in_force` is what the configuration names."""

    in_force: EmbeddingModel
    in_use: list[ModelInUse]
    switching: list[Switching] = Field(description="At most 100 of them.")
    dense_off: bool = Field(description="Some memories are found by their words alone, since their model is not there.")


class EmbedderSwitch(Answer):
    """`queued` owners' memories are embedded anew in the background; the old vectors serve until then."""

    model: str
    queued: int
