"""A process that re-embeds scopes of a tenant, some milliseconds a batch, for a test that kills it: database address,
tenant, spec of the model in force, scopes.
"""

import asyncio
import sys
from collections.abc import Sequence
from typing import Any

from memos.embedders.filling import Filler
from memos.embedders.tasks import ReembedTask
from memos.generation.embedders import LocalEmbedder
from memos.generation.port import Embedded
from memos.kit.db import Database

BATCH_S = 0.1


class Slow(LocalEmbedder):
    async def embed(self, texts: Sequence[str], model: str | None = None, *, background: bool = False) -> Embedded:
        if texts:
            print("batch", flush=True)
            await asyncio.sleep(BATCH_S)
        return await super().embed(texts, model, background=background)


async def main(url: str, tenant: str, spec: str, scopes: Sequence[str]) -> None:
    database: Any = Database(url, pool_size=2)
    embedder: Any = Slow(spec)
    for scope_id in scopes:
        await ReembedTask(Filler(database, embedder))(tenant, scope_id)
    await embedder.aclose()
    await database.aclose()


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], sys.argv[4:]))
