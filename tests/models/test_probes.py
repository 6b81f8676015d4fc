"""The probes: judges know right from wrong, scripts say what they claim, and engines that forget score low."""

import json
import random
import subprocess
import sys
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from models.engine import State, Step
from models.probes import formats, provenance
from models.probes.judge import abstains, gives, gives_as_written, has, invents, lists
from models.probes.parties import NO_MEMORY, PREVIOUS_TURN, RXT, Parties
from models.probes.registry import PROBES, Bench
from models.probes.run import load, run
from models.probes.script import SMALL_TALK, Script, held_out_keys, trained_keys
from models.probes.script import test_nouns as nouns_kept_for_tests
from models.probes.tally import Tally, rows_of
from models.probes.words import Words
from models.text.lexicon import Lexicon
from models.training.conversations.compile import divide
from models.training.conversations.facts import NAMED


def test_a_right_answer_has_the_value_and_no_other() -> None:
    assert gives("Your dog is called Rex.", "Rex", ["Rex", "Tom"])
    assert gives("it's rex's!", "Rex")
    assert not gives("Your dog is called Rexo.", "Rex")
    assert not gives("Rex or Tom.", "Rex", ["Rex", "Tom"])
    assert not gives("I don't know your dog's name yet.", "Rex")
    assert not gives("", "Rex")


def test_values_of_two_words_stand_together() -> None:
    assert gives("You work at zomek ralit, I think.", "zomek ralit")
    assert not gives("You work at zomek.", "zomek ralit")
    assert not gives("You work at ralit zomek.", "zomek ralit")
    assert not has("zomek and ralit", "zomek ralit")
    assert not gives("zomek ralit", "zomek ralit", ["ralit bodun", "zomek"]), "part of another value is another value"


def test_capitals_count_where_they_are_asked_for() -> None:
    assert gives_as_written("Your boss is called McTavo.", "McTavo")
    assert gives_as_written("McTavo!", "McTavo", ["iRobun"])
    assert not gives_as_written("Your boss is called Mctavo.", "McTavo")
    assert not gives_as_written("Your boss is called McTavon.", "McTavo")
    assert not gives_as_written("McTavo or iRobun", "McTavo", ["iRobun"])


def test_lists_are_verbatim() -> None:
    items = ["milk", "zorak", "bread"]
    assert lists("On your list are milk, zorak and bread.", items)
    assert lists("Milk, zorak, and bread", items)
    for wrong in (
        "On your list are milk, bread and zorak.",
        "On your list are milk and zorak.",
        "On your list are milk, zorak, bread and eggs.",
        "On your list are milk, milk, zorak and bread.",
        "I don't know your list yet.",
    ):
        assert not lists(wrong, items), wrong


def test_abstaining_is_saying_so_and_nothing_else() -> None:
    assert abstains("I don't know your dog's name yet.", ["Rex"])
    assert not abstains("Your dog is called Rex.", ["Rex"])
    assert not abstains("I don't know, is it Rex?", ["Rex"])
    assert not abstains("Hello!", ["Rex"])
    assert invents("It is Rex.", ["Tom", "Rex"])
    assert not invents("It is Rexo.", ["Tom", "Rex"])


def test_words_are_new_and_of_their_kind() -> None:
    known = {"dog", "bakon"}
    words = Words(random.Random(1), known, {"park", "river"})
    drawn = [getattr(words, kind)() for kind in ("plain", "name", "cased", "long", "known") for _ in range(60)]
    plain, names, cased, long, vocabulary = (drawn[i : i + 60] for i in range(0, 300, 60))
    assert len({w.lower() for w in plain + names + cased + long}) == 240
    assert not {w.lower() for w in drawn[:240]} & known
    assert all(w.islower() for w in plain)
    assert all(w.istitle() for w in names)
    assert all(any(c.isupper() for c in w[1:]) for w in cased)
    assert all(len(w) >= 13 for w in long)
    assert set(vocabulary[:2]) == {"park", "river"}
    assert len(set(vocabulary)) == 60
    first, second = words.two_words().split()
    assert first != second


def test_scripts_keep_held_out_phrasings_keys_and_words_apart() -> None:
    trained, unseen = Script(random.Random(1), ()), Script(random.Random(1), (), unseen=True)
    fact = trained.facts(1, one_family=True)[0]
    told = {trained.tell(fact, "VV").replace(fact.key, "KK") for _ in range(300)}
    held = {unseen.tell(fact, "VV").replace(fact.key, "KK") for _ in range(300)}
    assert told <= set(divide(NAMED.statements, 3)[0])
    assert held <= set(divide(NAMED.statements, 3)[1])
    assert len(held) > 3
    chats = {text for seen, _ in SMALL_TALK for text in seen}
    assert sum(unseen.chat() in chats for _ in range(100)) < 5  # a text may be held out of one topic and not of another
    assert not set(trained_keys(NAMED)) & set(held_out_keys(NAMED))
    assert len(held_out_keys(NAMED)) > 3
    assert {f.key for f in trained.facts(30, one_family=True)} <= set(trained_keys(NAMED))
    assert all(f.key in held_out_keys(f.family) for f in trained.held_out_facts(4))


def test_facts_of_a_conversation_differ_and_can_be_someone_elses() -> None:
    script = Script(random.Random(2), ())
    assert len(set(script.facts(16, one_family=True))) == 16
    assert len(set(script.facts(16))) == 16
    owned = script.owned_facts(4)
    assert len({f.key for f in owned}) == 1
    assert sorted(f.owner != "" for f in owned) == [False, True, True, True]
    for fact in owned:
        for _ in range(60):
            told, asked = script.tell(fact, "Rex"), script.ask(fact)
            assert "Rex" in told
            assert "KK" not in told + asked
            assert "OO" not in told + asked
            if fact.owner:
                assert fact.owner in told
                assert fact.owner in asked
    assert script.written_list(["a", "b", "c"]) == "a, b and c"


def test_figures_are_means_over_seeds_with_their_spread() -> None:
    one, two = Tally(), Tally()
    for tally, answers in ((one, ["yes", "yes"]), (two, ["yes", "no"])):
        for answer in answers:
            tally.add(4, "exact", {"rxt": answer, "no_memory": "no"}, lambda text: text == "yes")
    assert rows_of("facts", [one, two]) == [
        {
            "probe": "facts",
            "case": "4",
            "measure": "exact",
            "parties": {
                "rxt": {"mean": 0.75, "min": 0.5, "max": 1.0, "questions": 4},
                "no_memory": {"mean": 0.0, "min": 0.0, "max": 0.0, "questions": 4},
            },
        }
    ]


class Oracle:
    """An engine by rule. `remembers` decides which of the turns so far it may use; the lexicon carries nothing.

    It answers a question with the value of the last remembered turn that shares the fact's key, as a perfect (or a
    broken) memory would; `shuffled` gives somebody else's value instead.
    """

    def __init__(self, script: "Recorder", *, remembers: int | None = None, shuffled: bool = False) -> None:
        self.script, self.remembers, self.shuffled = script, remembers, shuffled

    def start_state(self) -> State:
        return State(memory=(), lexicon=Lexicon.empty())  # type: ignore[arg-type]

    def advance(self, state: State, text: str, output: str) -> Step:
        turns = (*state.memory, text)
        kept = turns if self.remembers is None else turns[len(turns) - self.remembers :]
        return Step(State(memory=kept, lexicon=state.lexicon), {}, ())  # type: ignore[arg-type]

    def generate(self, state: State, text: str, recalled: Sequence[str] = ()):
        yield self.script.answer(text, [*recalled, *state.memory], self.shuffled)


class Recorder:
    """Remembers what the scripts of a bench meant by their texts, so that an engine can answer by rule."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: dict[str, tuple[object, str]] = {}
        self.asked: dict[str, object] = {}
        for name, note in (("tell", self._tell), ("correct", self._tell), ("ask", self._ask)):
            real = getattr(Script, name)

            def noted(script, fact, *values, real=real, note=note):
                text = real(script, fact, *values)
                note(text, fact, *values)
                return text

            monkeypatch.setattr(Script, name, noted)

    def _tell(self, text, fact, value, old=""):
        self.told[text] = (fact, value)

    def _ask(self, text, fact):
        self.asked[text] = fact

    def answer(self, text: str, turns: Sequence[str], shuffled: bool) -> str:
        fact = self.asked.get(text)
        told = [self.told[t] for t in turns if t in self.told]
        values = [value for other, value in told if (other != fact) == shuffled]
        return f"It is {values[-1]}." if values else "I don't know yet."


def score(name: str, recorder: Recorder, **broken: object) -> dict[tuple[str, str], dict[str, float]]:
    """Every figure of one probe for an engine by rule: rates by case and measure, then by party."""
    parties = Parties(Oracle(recorder, **broken), nouns_kept_for_tests())  # type: ignore[arg-type]
    bench = Bench(parties, name, 1, 5, Tally())
    PROBES[name](bench)
    return {
        (row["case"], row["measure"]): {party: figures["mean"] for party, figures in row["parties"].items()}
        for row in rows_of(name, [bench.tally])
    }


RECALL = ("distance", "facts", "phrasings", "values", "keys", "owners", "lists", "corrections")


@pytest.mark.parametrize("name", RECALL)
def test_a_perfect_memory_scores_one_and_a_broken_one_low(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    perfect = score(name, recorder)
    assert all(rates[RXT] == 1.0 for rates in perfect.values()), perfect
    assert all(rates[NO_MEMORY] == 0.0 for rates in perfect.values()), perfect
    forgetful = score(name, recorder, remembers=0)
    assert all(rates[RXT] == 0.0 for rates in forgetful.values()), forgetful
    if name in ("facts", "owners"):
        confused = score(name, recorder, shuffled=True)
        assert all(rates[RXT] == 0.0 for (case, _), rates in confused.items() if case != "1"), confused


def test_a_memory_of_the_previous_turn_scores_at_once_and_never_after(monkeypatch: pytest.MonkeyPatch) -> None:
    found = score("distance", Recorder(monkeypatch))
    assert found["0", "exact"][PREVIOUS_TURN] == 1.0
    assert all(rates[PREVIOUS_TURN] == 0.0 for (case, _), rates in found.items() if case != "0")


def test_abstention_is_right_only_for_what_was_never_told(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    honest = score("abstention", recorder)
    assert all(rates[RXT] == float(measure == "abstains") for (_, measure), rates in honest.items()), honest
    inventing = score("abstention", recorder, shuffled=True)
    assert inventing["4", "abstains"][RXT] == 0.0
    assert inventing["4", "gives a told value"][RXT] == 1.0


def test_the_real_engine_is_asked_beside_its_controls(tiny_folder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(formats, "HELD", 1)
    monkeypatch.setattr(formats, "CHATS", 1)
    parties, said = load(tiny_folder, None), list[str]()
    found = run(parties, ["first value", "state format"], [1, 2], 1, said.append)
    steps = [f"{probe}, seed {seed}" for probe in ("first value", "state format") for seed in (1, 2)]
    assert [line.split(" (")[0] for line in said] == steps
    parted = {row["probe"]: set(row["parties"]) for row in found["rows"]}
    assert parted == {"first value": {RXT, NO_MEMORY, PREVIOUS_TURN}, "state format": {"float32", "float16", "int8"}}
    assert found["identity"]["weights_sha256"] == parties.engine.identity["weights_sha256"]
    again = run(parties, ["first value"], [1, 2], 1, said.append)
    assert again["rows"] == [row for row in found["rows"] if row["probe"] == "first value"], (
        "equal seeds, equal figures"
    )


def test_the_command_prints_json_alone_on_stdout(tiny_folder) -> None:
    command = [sys.executable, "-m", "models.probes", "--checkpoint", str(tiny_folder), "--n", "1", "--seeds", "3"]
    done = subprocess.run([*command, "--only", "first value"], capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert {row["probe"] for row in json.loads(done.stdout)["rows"]} == {"first value"}
    assert done.stderr.startswith("progress: first value, seed 3 (1 of 1")


class Slotted:
    """Keeps every told value in a slot of its own and says which slot an answer read, truly or not."""

    identity = {"state_shape": {"layers": 1, "slots": 200}}  # noqa: RUF012

    def __init__(self, recorder: Recorder, *, honest: bool) -> None:
        self.recorder, self.honest = recorder, honest

    def start_state(self) -> State:
        return State(memory={}, lexicon=Lexicon.empty())  # type: ignore[arg-type]

    def advance(self, state: State, text: str, output: str) -> Step:
        memory: Any = dict(state.memory)
        if text in self.recorder.told:
            memory[len(memory)] = self.recorder.told[text]
        return Step(State(memory=memory, lexicon=state.lexicon), {}, ())

    def _slot(self, state: State, text: str) -> int | None:
        fact = self.recorder.asked.get(text)
        return next((slot for slot, (other, _) in state.memory.items() if other == fact), None)  # type: ignore[attr-defined]

    def generate(self, state: State, text: str, recalled: Sequence[str] = ()):
        slot = self._slot(state, text)
        yield "I don't know yet." if slot is None else f"It is {state.memory[slot][1]}."

    def reads(self, state: State, text: str, output: str) -> list[SimpleNamespace]:
        slot = self._slot(state, text)
        others = [number for number in range(39, 19, -1) if number != slot]
        return [SimpleNamespace(layer=0, slot=s, share=0.1) for s in ([slot, *others] if self.honest else others)]

    def forget_slots(self, state: State, slots: Sequence[tuple[int, int]]) -> State:
        gone = {slot for _, slot in slots}
        return State(memory={s: v for s, v in state.memory.items() if s not in gone}, lexicon=state.lexicon)  # type: ignore[arg-type, attr-defined]


def test_naming_the_right_slots_is_told_from_naming_others(monkeypatch: pytest.MonkeyPatch) -> None:
    recorder = Recorder(monkeypatch)
    for honest in (True, False):
        bench = Bench(Parties(Slotted(recorder, honest=honest), frozenset()), "provenance", 1, 20, Tally())  # type: ignore[arg-type]
        provenance.provenance(bench)
        rows = rows_of("provenance", [bench.tally])
        assert [row["case"] for row in rows] == [f"{count} slots cleared" for count in provenance.CLEARED]
        for row in rows:
            named, others = (row["parties"][party]["mean"] for party in ("named", "random"))
            assert named == float(honest)
            assert others < 0.3
