"""Chains one tenant's log again and again until it is killed.

python -m tests.audit.run_sequencer DATABASE BLOBS TENANT
"""

import asyncio
import sys

from memos.audit import sequencer
from memos.audit.sequencer import Noted, SequenceTask
from memos.keys.service import KeyService
from memos.kit.blobs import Blobs
from memos.kit.db import Database
from tests.support.live import SECRET


async def main(address: str, folder: str, tenant_id: str) -> None:
    database = Database(address, pool_size=2)
    task = SequenceTask(database, Noted(Blobs(folder), KeyService(database, SECRET.encode()).digest_of))
    sequencer.BATCH = 3  # many commits to be killed between
    print("running", flush=True)
    while True:
        await task(tenant_id, "sched")
        await asyncio.sleep(0.001)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
