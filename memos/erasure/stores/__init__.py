"""The stores that an erasure reaches, in the order in which they are erased: what looks at others comes before them."""

from collections.abc import Sequence

from memos.erasure.reach import Store
from memos.erasure.stores.blobs import BlobStore
from memos.erasure.stores.chats import ChatStore
from memos.erasure.stores.conversations import ConversationStore, TitleStore
from memos.erasure.stores.cubes import CubeStore, EventStore, GrantStore
from memos.erasure.stores.deltas import DeltaStore
from memos.erasure.stores.embeddings import EmbeddingStore
from memos.erasure.stores.episodes import EpisodeStore
from memos.erasure.stores.keys import JobStore, KeyStore
from memos.erasure.stores.names import NameStore
from memos.erasure.stores.turns import TurnStore
from memos.erasure.stores.versions import VersionStore

STORES: Sequence[Store] = (
    DeltaStore(),
    TurnStore(),
    EpisodeStore(),
    KeyStore(),
    JobStore(),
    ChatStore(),
    EmbeddingStore(),
    VersionStore(),
    BlobStore(),
    CubeStore(),
    EventStore(),
    GrantStore(),
    NameStore(),
    TitleStore(),
    ConversationStore(),
)
BY_NAME = {store.name: store for store in STORES}


def word_columns() -> dict[str, list[str]]:
    """Every column that holds words or names, by table."""
    found: dict[str, set[str]] = {}
    for store in STORES:
        for table, columns in store.columns.items():
            found.setdefault(table, set()).update(columns)
    return {table: sorted(columns) for table, columns in sorted(found.items())}
