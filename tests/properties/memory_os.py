"""The machine of test_memory_os: whatever is done to cubes and conversations over REST, they are what a plain
dictionary says they are, and every refusal is the one that the dictionary expects.

The model knows texts, lines of turns, the states of life and who came from whom; nothing of versions' hashes, epochs or
jobs. What a state holds is read off echo's answers and payloads.
"""

from collections import Counter
from typing import Any

import httpx2
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from memos.cubes.pieces import pieces_of
from memos.generation.echo import held_turns, turn_fingerprint
from memos.kernel.lifecycle import Lifecycle, legal_from
from memos.kernel.version import broken_links
from tests.api.talk import ask, chain, eventually, everything, held, of, post, problem, say, settled
from tests.cubes.conftest import activated, cube, freeze, made_from, revise, text_of, to
from tests.properties.memory_model import Memory, Talk

WORDS = st.text(st.sampled_from("abcdefgh \n.é"), min_size=1, max_size=12).filter(str.strip)
INDEX = st.integers(0, 30)
TARGETS = st.sampled_from(["activated", "archived", "expired"])
COUNTS: Counter[str] = Counter()


class MemoryOs(RuleBasedStateMachine):
    """Rules draw an index; it names one of the cubes, or conversations, that there are."""

    place: Any
    erases = True

    def __init__(self) -> None:
        super().__init__()
        self.cubes: dict[str, Memory] = {}
        self.talks: dict[str, Talk] = {}
        self.forked: set[str] = set()  # states of conversations that others were forked from
        self.restarts = 0
        COUNTS["examples"] += 1
        self.create("first")
        self.converse()

    @property
    def client(self) -> httpx2.Client:
        client: httpx2.Client = self.place.client
        return client

    def _one(self, index: int, kind: str = "") -> Memory | None:
        wanted = [memory for memory in self.cubes.values() if kind in ("", memory.kind)]
        return wanted[index % len(wanted)] if wanted else None

    def _talk(self, index: int) -> Talk | None:
        talks = list(self.talks.values())
        return talks[index % len(talks)] if talks else None

    def _add(self, memory: Memory) -> Memory:
        self.cubes[memory.id] = memory
        return memory

    def _rest(self, memory: Memory) -> None:
        """A state is at rest before it is looked at or frozen."""
        for talk in self.talks.values():
            if talk.state is memory:
                settled(self.client, talk.id)

    # -- plaintext ------------------------------------------------------------------------------------------------

    @rule(text=WORDS)
    def create(self, text: str) -> None:
        COUNTS["create"] += 1
        made = post(self.client, "/v1/cubes", {"text": text, "user_id": "ada"}).json()
        self._add(Memory(made["id"], "plaintext", [text]))

    @rule(index=INDEX, text=WORDS, late=st.booleans())
    def revise(self, index: int, text: str, late: bool) -> None:
        memory = self._one(index, "plaintext")
        if memory is None:
            return
        COUNTS["revise"] += 1
        head = len(memory.texts) - 1
        answer = revise(self.client, memory.id, text, head + late)
        if not memory.changes:
            problem(answer, 409, memory.refusal())
        elif late:
            problem(answer, 409, "head_moved")
        else:
            assert answer.json()["number"] == head + 1
            memory.texts.append(text)

    @rule(index=INDEX, back=INDEX)
    def go_back(self, index: int, back: int) -> None:
        """A cube of its own goes back to one of its versions: a new one with the old words."""
        memory = self._one(index, "plaintext")
        if memory is None:
            return
        COUNTS["rollback of a cube"] += 1
        number = back % len(memory.texts)
        answer = self.client.post(f"/v1/cubes/{memory.id}/rollback", json={"to_version": number})
        if not memory.changes:
            problem(answer, 409, memory.refusal())
        else:
            assert answer.is_success, answer.text
            memory.texts.append(memory.texts[number])

    @rule(first=INDEX, second=INDEX)
    def merge(self, first: int, second: int) -> None:
        one, two = self._one(first, "plaintext"), self._one(second, "plaintext")
        if one is None or two is None:
            return
        COUNTS["merge"] += 1
        answer = self.client.post("/v1/cubes/merge", json={"cube_ids": [one.id, two.id]})
        if one is two:
            problem(answer, 422, "named_twice")
        elif not (one.changes and two.changes):
            problem(answer, 409, next(memory.refusal() for memory in (one, two) if not memory.changes))
        else:
            text = f"{one.texts[-1]}\n{two.texts[-1]}"
            parents = {("merges", one.id), ("merges", two.id)}
            self._add(Memory(answer.json()["id"], "plaintext", [text], came_from=parents))
            one.lifecycle = two.lifecycle = "merged"

    @rule(index=INDEX, texts=st.lists(WORDS, min_size=2, max_size=3))
    def split(self, index: int, texts: list[str]) -> None:
        memory = self._one(index)
        if memory is None:
            return
        COUNTS["split"] += 1
        parts = {"parts": [{"text": text} for text in texts]}
        answer = self.client.post(f"/v1/cubes/{memory.id}/split", json=parts)
        if memory.kind != "plaintext":
            problem(answer, 409, "wrong_kind")
        elif not memory.changes:
            problem(answer, 409, memory.refusal())
        else:
            for text, part in zip(texts, answer.json()["parts"], strict=True):
                self._add(Memory(part["id"], "plaintext", [text], came_from={("splits", memory.id)}))
            memory.lifecycle = "archived"

    # -- the life of any cube -------------------------------------------------------------------------------------

    @rule(index=INDEX, state=TARGETS)
    def move(self, index: int, state: Lifecycle) -> None:
        memory = self._one(index)
        if memory is None:
            return
        COUNTS[state] += 1
        self._rest(memory)
        answer, legal = to(self.client, memory.id, state), legal_from(memory.lifecycle, frozen=memory.frozen)
        if state in legal:
            assert answer.json()["lifecycle"] == state, answer.text
            memory.lifecycle = state
        else:
            assert problem(answer, 409, "illegal_transition")["context"]["legal"] == sorted(legal)

    @rule(index=INDEX, frozen=st.booleans())
    def freeze(self, index: int, frozen: bool) -> None:
        memory = self._one(index)
        if memory is None:
            return
        COUNTS["freeze" if frozen else "unfreeze"] += 1
        self._rest(memory)
        assert freeze(self.client, memory.id, frozen).json()["frozen"] is frozen
        memory.frozen = frozen

    @rule(index=INDEX, priority=st.integers(-3, 3))
    def label(self, index: int, priority: int) -> None:
        memory = self._one(index)
        if memory is None:
            return
        COUNTS["label"] += 1
        answer = self.client.patch(f"/v1/cubes/{memory.id}", json={"priority": priority})
        if memory.frozen:
            problem(answer, 409, "cube_frozen")
        else:
            assert answer.json()["priority"] == priority

    @rule(index=INDEX, archive=st.booleans())
    def convert(self, index: int, archive: bool) -> None:
        """Between plaintext and activation; with `archive`, as a promotion or a demotion."""
        memory = self._one(index)
        if memory is None:
            return
        self._rest(memory)
        kind = "activation" if memory.kind == "plaintext" else "plaintext"
        way = {"activation": "promote", "plaintext": "demote"}[kind] if archive else "convert"
        COUNTS[way] += 1
        body = {} if archive else {"to": kind}
        answer = self.client.post(f"/v1/cubes/{memory.id}/{way}", json=body)
        if archive and memory.frozen:
            problem(answer, 409, "cube_frozen")
        elif memory.lifecycle not in ("activated", "archived"):
            problem(answer, 409, "cube_not_live")
        elif not (text := self._words(memory)):
            problem(answer, 409, "nothing_to_convert")
        else:
            assert answer.status_code == 201, answer.text
            made = Memory(answer.json()["cube"]["id"], kind, came_from={("converts", memory.id)})
            if kind == "activation":
                made.taken, made.source = pieces_of(text), text
                activated(self.client, made.id)
            else:
                made.texts = [text]
                made.came_from |= self._told_of(memory)
            self._add(made)
            if archive:
                memory.lifecycle = "archived"

    def _words(self, memory: Memory) -> str:
        """What a cube says, in words."""
        talk = next((talk for talk in self.talks.values() if talk.state is memory), None)
        if talk is not None:
            return "\n".join(f"User: {turn.text}\nAssistant: {turn.output}" for turn in talk.line)
        return memory.texts[-1] if memory.texts else memory.source

    def _told_of(self, memory: Memory) -> set[tuple[str, str]]:
        """The cubes that took in what a transcript tells; the version that was converted is named as that."""
        talk = next((talk for talk in self.talks.values() if talk.state is memory), None)
        if talk is None:
            return set()
        return {("recalls", turn.by) for turn in (talk.line[:-1] if talk.fresh else talk.line)}

    # -- conversations --------------------------------------------------------------------------------------------

    @rule()
    def converse(self) -> None:
        if len(self.talks) >= 5:
            return
        COUNTS["converse"] += 1
        made = post(self.client, "/v1/conversations", {"user_id": "ada"}).json()
        state = self._add(Memory(made["state_cube_id"], "activation"))
        self.talks[made["id"]] = Talk(made["id"], state, state.id)

    def _woken(self, talk: Talk, answer: httpx2.Response) -> bool:
        """Whether the state takes what comes; archived, it is activated by it."""
        state = talk.state
        if state.frozen or state.lifecycle in ("expired", "merged"):
            problem(answer, 409, state.refusal())
            return False
        assert answer.is_success, answer.text
        state.lifecycle = "activated"
        return True

    @rule(index=INDEX, text=WORDS)
    def turn(self, index: int, text: str) -> None:
        talk = self._talk(index)
        if talk is None:
            return
        COUNTS["turn"] += 1
        answer = ask(self.client, talk.id, text)
        if self._woken(talk, answer):
            turn = answer.json()
            assert held(turn["output"]) == of(*talk.texts())
            assert turn["seq"] == talk.next_seq
            talk.take(text, turn["output"])

    @rule(index=INDEX, texts=st.lists(WORDS, min_size=1, max_size=3))
    def take_in(self, index: int, texts: list[str]) -> None:
        talk = self._talk(index)
        if talk is None:
            return
        COUNTS["import"] += 1
        said = [{"input": text, "output": text.upper()} for text in texts]
        answer = self.client.post(f"/v1/conversations/{talk.id}/turns/import", json={"turns": said})
        if self._woken(talk, answer):
            for text in texts:
                talk.take(text, text.upper())

    @rule(index=INDEX, at=INDEX)
    def rollback(self, index: int, at: int) -> None:
        talk = self._talk(index)
        if talk is None:
            return
        COUNTS["rollback"] += 1
        settled(self.client, talk.id)
        seqs = [0, *(turn.seq for turn in talk.line)]
        seq = seqs[at % len(seqs)]
        answer = self.client.post(f"/v1/conversations/{talk.id}/rollback", json={"to_turn": seq})
        if self._woken(talk, answer):
            talk.line = [turn for turn in talk.line if turn.seq <= seq]
            talk.fresh = False

    @precondition(lambda self: len(self.talks) < 5)
    @rule(index=INDEX, at=INDEX)
    def fork(self, index: int, at: int) -> None:
        """Of whatever state: nothing of it changes."""
        talk = self._talk(index)
        if talk is None:
            return
        COUNTS["fork"] += 1
        settled(self.client, talk.id)
        seqs = [0, *(turn.seq for turn in talk.line)]
        seq = seqs[at % len(seqs)]
        made = post(self.client, f"/v1/conversations/{talk.id}/fork", {"at_turn": seq}).json()
        line = [turn for turn in talk.line if turn.seq <= seq]
        origin = line[-1].by if line else talk.root
        state = self._add(Memory(made["state_cube_id"], "activation", came_from={("forks", origin)}))
        self.talks[made["id"]] = Talk(made["id"], state, talk.root, line, seq + 1)
        self.forked.add(talk.state.id)

    # -- the end ----------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.erases)
    @rule(index=INDEX)
    def erase(self, index: int) -> None:
        """A cube that nothing came of, frozen or not: it is gone and nothing else is."""
        parents = {parent for memory in self.cubes.values() for _, parent in memory.came_from}
        leaves = [memory for memory in self.cubes.values() if memory.id not in parents | self.forked]
        if not leaves:
            return
        COUNTS["erase"] += 1
        memory = leaves[index % len(leaves)]
        self._rest(memory)
        talk = next((talk for talk in self.talks.values() if talk.state is memory), None)
        what = {"conversation_id": talk.id} if talk is not None else {"cube_id": memory.id}
        asked = post(self.client, "/v1/erasures", what).json()["id"]

        def logical() -> dict[str, Any]:
            view: dict[str, Any] = self.client.get(f"/v1/erasures/{asked}").json()
            assert view["status"] != "failed", view
            return view if view["logical_at"] is not None else {}

        eventually(logical, 60)
        del self.cubes[memory.id]
        problem(to(self.client, memory.id, "archived"), 404, "not_found")
        if talk is not None:
            del self.talks[talk.id]
            problem(ask(self.client, talk.id, "are you there?"), 404, "not_found")

    @precondition(lambda self: len(self.cubes) > 4 and not self.restarts)
    @rule()
    def restart(self) -> None:
        self.restarts += 1
        COUNTS["restart"] += 1
        self.place.stop()
        self.place.start()

    def teardown(self) -> None:
        for talk in self.talks.values():
            settled(self.client, talk.id)
        for memory in self.cubes.values():
            self._check(memory)
        for talk in self.talks.values():
            if talk.state.frozen or talk.state.lifecycle != "activated":
                continue
            assert held(say(self.client, talk.id, "last")["output"]) == of(*talk.texts())

    def _check(self, memory: Memory) -> None:
        shown = cube(self.client, memory.id)
        assert (shown["lifecycle"], shown["frozen"], shown["kind"]) == (memory.lifecycle, memory.frozen, memory.kind)
        assert broken_links(chain(self.client, memory.id)) == []
        found = made_from(self.client, memory.id)
        # A fork that goes back behind its beginning restores a state of its forebears.
        assert {entry for entry in found if entry[0] != "restores"} == memory.came_from
        steps = [event for event in everything(self.client, f"/v1/cubes/{memory.id}/events") if event["to_lifecycle"]]
        assert steps[0]["to_lifecycle"] == memory.lifecycle, "the newest event says where it is"
        if memory.kind == "plaintext":
            assert shown["head_version"] == len(memory.texts) - 1
            assert text_of(self.client, memory.id) == memory.texts[-1]
        elif memory.taken:
            payload = self.client.get(f"/v1/cubes/{memory.id}/versions/{shown['head_version']}/payload").content
            assert [fingerprint for _, fingerprint in held_turns(payload)] == [
                turn_fingerprint(piece) for piece in memory.taken
            ]
