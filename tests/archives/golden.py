"""Made `tests/data/archive-v1.memos.zip`, once: `python -m tests.archives.golden FILE`. The file is not to be made
again: that an archive of that day still loads is what it is there to show.

In it: a conversation with a rollback and a fork, and a text of three versions whose second was erased.
"""

import sys
from pathlib import Path
from typing import Any

from tests.api.talk import post, say
from tests.archives.conftest import edited, exported, forged
from tests.support.live import serve
from tests.support.postgres import cluster

ERASED: dict[str, Any] = {
    "payload": "erased", "nonce": None, "content": None, "payload_sha256": None, "size_bytes": 0, "metadata": {},
    "written": None,
}  # fmt: skip


def golden() -> bytes:
    with cluster() as running, serve(running.database()) as live, live.client() as client:
        began = live.conversation(client, "ada")
        for text in ("My dog is called Biscuit.", "It rained today.", "We went out all the same."):
            say(client, began, text)
        live.settled(client, began)
        post(client, f"/v1/conversations/{began}/rollback", {"to_turn": 2})
        say(client, began, "It stopped.")
        live.settled(client, began)
        fork = post(client, f"/v1/conversations/{began}/fork", {"at_turn": 1}).json()["id"]
        say(client, fork, "He is four.")
        live.settled(client, fork)
        cube = post(client, "/v1/cubes", {"text": "Ada has a dog.", "user_id": "ada", "tags": ["pets"]}).json()["id"]
        for number, text in enumerate(("Ada's dog bit the postman.", "Ada has an old dog.")):
            match = {"If-Match": f'"{number}"'}
            client.post(f"/v1/cubes/{cube}/versions", json={"text": text}, headers=match).raise_for_status()
        archive = exported(client, user_id="ada")

    def erase(rows: list[dict[str, Any]]) -> None:
        next(row for row in rows if row["cube_id"] == cube and row["number"] == 1).update(ERASED)

    return forged(archive, edited("versions.jsonl", erase))


if __name__ == "__main__":
    Path(sys.argv[1]).write_bytes(golden())
