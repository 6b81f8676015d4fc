"""The calls of embedding models, as values, and bound to a client; as `_calls` and `_resources`."""

from memos.sdk import embedder
from memos.sdk._calls import Call, _get, _post, reads
from memos.sdk._resources import _AsyncResource, _awaits, _Resource, _sends


def embedder_status() -> Call[embedder.EmbedderStatus]:
    """Which model embeds memories, which ones their searches use, and how far those that change are."""
    return _get(reads(embedder.EmbedderStatus), "/v1/embedder")


def embedder_switch(*, idempotency_key: str | None = None) -> Call[embedder.EmbedderSwitch]:
    """Begins now to embed anew what was embedded by another model than the one in force."""
    return _post(reads(embedder.EmbedderSwitch), "/v1/embedder/switch", None, idempotency_key)


class Embedder(_Resource):
    """The embedding models of memories."""

    status = _sends(embedder_status)
    switch = _sends(embedder_switch)


class AsyncEmbedder(_AsyncResource):
    """The embedding models of memories."""

    status = _awaits(embedder_status)
    switch = _awaits(embedder_switch)
