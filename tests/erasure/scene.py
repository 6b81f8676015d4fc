"""What the proof is about: conversations full of facts, some of which are to be erased, in every store that there is.

`told` says of each conversation what was said and answered, and what of it stays: the same pairs, taken in by another
service that never heard of the rest, are what its state must be, bit for bit.
"""

import random
from dataclasses import dataclass, field
from typing import Any

import httpx2

from tests.api.talk import eventually, look, post, say, settled, turns
from tests.erasure.hunt import GONE, STAYS, words
from tests.support.live import Live

TURNS = "/v1/conversations/{}/turns"


@dataclass
class Told:
    """One conversation. `gone` are the seqs that are to be erased; `whole`: the conversation is."""

    id: str
    user: str
    gone: list[int]
    whole: bool = False
    forks: list["Told"] = field(default_factory=list)


@dataclass
class Scene:
    """Facts are random words; which conversation goes how is drawn too."""

    client: httpx2.Client
    seed: int
    facts: int
    mark: str = GONE
    conversations: list[Told] = field(default_factory=list)
    cubes: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.draw = random.Random(self.seed)
        self._gone, self._stays = words(self.seed, self.mark), words(self.seed, STAYS)

    def fact(self, *, goes: bool, long: bool = False) -> str:
        named, value = (next(self._gone if goes else self._stays) for _ in range(2))
        text = f"My {named} is called {value}."
        return " ".join([text, *(next(self._gone if goes else self._stays) for _ in range(250))]) if long else text

    def user(self, *, goes: bool) -> str:
        return next(self._gone if goes else self._stays)

    def converse(self, *, whole: bool = False, live: int = 2, fork: bool = False, user_goes: bool = False) -> Told:
        """Most facts are taken in from elsewhere, the last ones are said; their answers quote all that came before.
        A fork that is not its user's last goes on."""
        user = self.user(goes=user_goes)
        title = self.fact(goes=whole)
        made = post(self.client, "/v1/conversations", {
            "user_id": user, "title": title, "metadata": {"note": self.fact(goes=whole)},
        }, key=f"begin-{user.encode().hex()}").json()["id"]  # fmt: skip
        gone = sorted(self.draw.sample(range(1, self.facts + 1), max(1, self.facts // 5)))
        pairs = [self._pair(whole or seq in gone, seq) for seq in range(1, self.facts - live + 1)]
        for start in range(0, len(pairs), 40):
            batch = {"turns": pairs[start : start + 40]}
            post(self.client, f"{TURNS.format(made)}/import", batch, key=f"take-in-{made}-{start}")
            settled(self.client, made)
        told = Told(made, user, gone, whole)
        for seq in range(self.facts - live + 1, self.facts + 1):
            say(self.client, made, self.fact(goes=whole or seq in gone), key=f"said-{made}-{seq}")
        settled(self.client, made)
        if fork:
            body = {"at_turn": self.facts - 1}
            other = Told(post(self.client, f"/v1/conversations/{made}/fork", body).json()["id"], user, gone, user_goes)
            say(self.client, other.id, self.fact(goes=user_goes))
            settled(self.client, other.id)
            told.forks.append(other)
        # Left behind by a rollback: neither the line nor the state has it any more, and its words are there.
        say(self.client, made, self.fact(goes=True), key=f"left-{made}")
        settled(self.client, made)
        post(self.client, f"/v1/conversations/{made}/rollback", {"to_turn": self.facts}, key=f"back-{made}")
        gone.append(self.facts + 1)
        self.conversations.append(told)
        return told

    def _pair(self, goes: bool, seq: int) -> dict[str, str]:
        answer = "Noted: " + self.fact(goes=True) if goes else "Noted."
        return {"input": self.fact(goes=goes, long=seq % 7 == 3), "output": answer}

    def erase(self, told: Told) -> list[str]:
        """The ids of the erasures that were asked for: of its user, of it, or of its turns."""
        if told.whole:
            return [
                self.ask({"user_id": told.user} if told.user.startswith(self.mark) else {"conversation_id": told.id})
            ]
        listed = {turn["seq"]: turn["id"] for turn in turns(self.client, told.id)}
        return [self.ask({"turn_id": listed[seq]}) for seq in told.gone]

    def ask(self, target: dict[str, Any]) -> str:
        answer = self.client.post("/v1/erasures", json=target)
        assert answer.status_code == 202, answer.text
        return str(answer.json()["id"])

    def ended(self, erasure_id: str, timeout_s: float = 60.0) -> dict[str, Any]:
        """The erasure, once it is done."""

        def look() -> dict[str, Any]:
            found: dict[str, Any] = self.client.get(f"/v1/erasures/{erasure_id}").json()
            assert found["status"] != "failed", found["error"]
            return found if found["status"] == "done" else {}

        return eventually(look, timeout_s)

    def left(self, told: Told) -> list[dict[str, str]]:
        """The pairs that a conversation's state is made of now; an answer that was taken back is empty."""
        held = [turn for turn in turns(self.client, told.id) if turn["status"] == "applied"]
        return [{"input": turn["input"], "output": turn["output"]} for turn in held]

    def state(self, told: Told) -> bytes:
        view = settled(self.client, told.id)
        path = f"/v1/cubes/{view['state_cube_id']}/versions/{view['state_version']}/payload"
        return self.client.get(path).content


def control(client: httpx2.Client, pairs: list[dict[str, str]]) -> bytes:
    """The state of a conversation that was fed exactly these pairs, by a service that never saw another."""
    made = post(client, "/v1/conversations", {"user_id": "control"}).json()["id"]
    for start in range(0, len(pairs), 40):
        body = {"turns": [{**pair, "output": pair["output"] or ""} for pair in pairs[start : start + 40]]}
        post(client, f"{TURNS.format(made)}/import", body)
        settled(client, made)
    view = settled(client, made)
    path = f"/v1/cubes/{view['state_cube_id']}/versions/{view['state_version']}/payload"
    return client.get(path).content


def embedded(service: Live) -> None:
    """Waits until every memory has its vector."""
    lacking = (
        "SELECT FROM memcubes m WHERE m.kind = 'plaintext' AND m.lifecycle = 'activated' AND NOT EXISTS "
        "(SELECT FROM embeddings e WHERE e.version_id = m.head_version_id) LIMIT 1"
    )
    eventually(lambda: not look(service, lacking), 60)


def indexed(service: Live, mark: str) -> list[str]:
    """What the indexes in memory hold of the marked words."""
    held = [entry.index.index for entry in service.app.state.runtime.recall._following.cache._entries.values()]
    return [item.text for index in held for item in index._rows.items if item is not None and mark in item.text.lower()]
