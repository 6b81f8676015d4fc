"""Whether answers are better for what is recalled: python -m benchmarks.recall_in_turn --users 20

The released model behind the API, with its embedder. Each user tells facts in one conversation, chats and asks, then
begins others. Asked is, once with recall and once without, each time in a fork of its own:

    told elsewhere   what only the first conversation has
    told here        what this conversation was told and no other
    told otherwise   what this conversation was told, and the first one otherwise: this one is to win
    never told       what nobody was told: the answer is that it does not know

A question is right when the answer has the told value and no other value of the user.
"""

import argparse
import random
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx2

from benchmarks.report import machine, publish
from models.probes.judge import abstains, gives
from models.probes.script import Script
from models.rxt.checkpoint import RELEASED, TOKENIZER
from models.text.tokenizer import Tokenizer
from tests.api.talk import post, say, settled
from tests.generation.worker_process import WorkerProcess
from tests.support.live import Live, serve
from tests.support.postgres import cluster


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--users", type=int, default=20)
    parser.add_argument("--seed", type=int, default=20261124)
    wanted = parser.parse_args()
    before = machine()
    known = frozenset(Tokenizer.load(RELEASED / TOKENIZER).words)
    right: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder, cluster() as running:
        blobs = (Path(folder) / "blobs").as_uri()
        worker = WorkerProcess(Path(folder), blobs, engine="rxt")
        try:
            options: dict[str, Any] = {"generator": "rxt", "model_url": worker.url, "blob_url": blobs, "lease_s": 30.0}
            with serve(running.database(), **options) as service, service.client() as client:
                for number in range(wanted.users):
                    script = Script(random.Random(f"{wanted.seed} {number}"), known)
                    right.update(Asker(service, client, f"user {number}", script).run())
                    print(number, dict(right), file=sys.stderr, flush=True)
        finally:
            worker.stop()
    shares = {case: round(right[case] / wanted.users, 3) for case in sorted(CASES)}
    publish(
        {
            "benchmark": "recall_in_turn", "users": wanted.users, "seed": wanted.seed,
            "machine": {"before": before, "after": machine()}, "right": shares,
        }
    )  # fmt: skip
    return 0


ASKED = ("told elsewhere", "told here", "told otherwise", "never told")
CASES = [f"{asked}, {how}" for asked in ASKED for how in ("with recall", "without")]


class Asker:
    """One user."""

    def __init__(self, service: Live, client: httpx2.Client, user: str, script: Script) -> None:
        self._service, self._client, self._user, self._script = service, client, user, script

    def run(self) -> list[str]:
        """The cases that were answered right."""
        script = self._script
        first, second, third, fourth, own, unknown = script.facts(6)
        told = {fact: script.words.name() for fact in (first, second, third, fourth)}
        began = self._begin()
        for fact, value in told.items():
            self._say(began, script.tell(fact, value))
            self._say(began, script.chat())
        self._say(began, script.ask(second))
        here = {own: script.words.name(), first: script.words.name()}
        other = self._begin()
        for fact, value in here.items():
            self._say(other, script.tell(fact, value))
            self._say(other, script.chat())
        values = [*told.values(), *here.values()]
        fresh = self._begin()
        self._say(fresh, script.chat())
        found = self._right("told elsewhere", fresh, script.ask(third), told[third], values)
        found += self._right("told here", other, script.ask(own), here[own], values)
        found += self._right("told otherwise", other, script.ask(first), here[first], values)
        return found + self._right("never told", fresh, script.ask(unknown), None, values)

    def _begin(self) -> str:
        return self._service.conversation(self._client, self._user)

    def _say(self, conversation: str, text: str, **options: Any) -> str:
        return str(say(self._client, conversation, text, **options)["output"])

    def _right(
        self, asked: str, conversation: str, question: str, value: str | None, values: Sequence[str]
    ) -> list[str]:
        at_turn = settled(self._client, conversation)["turn_count"]
        found = []
        # With recall first: the other's answer is not to be among what is recalled.
        for how, top_k in (("with recall", 5), ("without", 0)):
            fork = post(self._client, f"/v1/conversations/{conversation}/fork", {"at_turn": at_turn}).json()["id"]
            answer = self._say(fork, question, recall={"top_k": top_k})
            if abstains(answer, values) if value is None else gives(answer, value, values):
                found.append(f"{asked}, {how}")
        return found


if __name__ == "__main__":
    sys.exit(main())
