"""The synthetic conversations: what is held out stays out, and what is asked has the answer that was told."""

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise

import pytest

from models.rxt.checkpoint import RELEASED
from models.text.prompt import prompt_of
from models.text.tokenizer import ANSWER, BOS, QUERY, RECALL, SPECIAL, THINK, Tokenizer
from models.training.conversations.__main__ import main, spelled
from models.training.conversations.compile import Language, build_language, divide, fits_others, keys_of
from models.training.conversations.dialogue import Plan, Turn, draw_dialogue
from models.training.conversations.families import FAMILIES
from models.training.conversations.frames import ASKING, CORRECTING, NAMING, TELLING, WONDERING
from models.training.conversations.notation import bars, family
from models.training.conversations.nouns import TEST_KEYS
from models.training.conversations.probes import ALL_SNIPPET_TOKENS, MAX_SNIPPETS

ROWS = 160


@pytest.fixture(scope="module")
def language() -> Language:
    return build_language()


def drawn(language: Language, plan: Plan, count: int, seed: int = 0) -> Iterator[tuple[list[Turn], list[Turn]]]:
    rng = random.Random(seed)
    words = len(language.tokenizer)
    for _ in range(count):
        yield draw_dialogue(language, rng, rng.sample(range(words, words + ROWS), ROWS), plan)


def unmarked(language: Language, ids: tuple[int, ...]) -> tuple[int, ...]:
    marks = {language.tokenizer.ids[m] for m in ".,!?:"}
    return tuple(t for t in ids if t not in marks)


def test_dialogues_follow_their_plan(language):
    for turns, probes in drawn(language, Plan(9, 5, 6), 100):
        assert len(turns) == 9
        assert len(probes) == 6
        for turn in turns + probes:
            assert min(turn.said, default=0) >= len(SPECIAL)
            assert min(turn.answer, default=len(SPECIAL)) >= len(SPECIAL)
            assert set(turn.values) <= set(turn.answer)
            assert len(turn.answer) <= 28
            assert len(prompt_of(turn.said, turn.snippets)) <= 110


def test_equal_seeds_give_equal_dialogues(language):
    first, again, other = (list(drawn(language, Plan(8, 5, 8), 5, seed)) for seed in (1, 1, 2))
    assert first == again
    assert first != other


def test_held_out_phrasings_are_not_trained(language):
    """The sentences that reach training, not only the lists, and with frames and noise around them."""
    held = set()
    for patterns in language.facts:
        assert not set(patterns.trained.groups[0]) & set(patterns.unseen.groups[0])
        held |= patterns.held
    assert len(held) > 400
    assert sum(len(t.unseen) for t in language.topics) > 100
    marked = replace(
        language,
        facts=tuple(_with_unseen(f, THINK) for f in language.facts),
        topics=tuple(replace(t, unseen=((THINK,),)) for t in language.topics),
    )

    def unseen_ones(plan: Plan) -> int:
        return sum(THINK in t.said for turns, probes in drawn(marked, plan, 60) for t in turns + probes)

    assert unseen_ones(Plan(6, 4, 4)) == 0
    assert unseen_ones(Plan(6, 4, 4, unseen=True)) > 40


def _with_unseen(patterns, token):
    unseen = replace(patterns.unseen, groups=(((token,),),) * 4)
    return replace(patterns, unseen=unseen, others_unseen=unseen)


def test_a_frame_never_rebuilds_a_held_out_phrasing(language):
    """ "Do you know" around "what my dog is called" is a phrasing of its own, which may be held out."""
    ids = language.tokenizer.ids
    named = language.facts[0]
    rebuilt = {
        (*before, *thing, *after)
        for before, after in language.naming.trained
        for thing in named.trained.things
        if unmarked(language, tuple(t for t in (*before, *thing, *after))) in named.held
    }
    assert rebuilt, "no composed phrasing meets a held-out one: the test would prove nothing"
    row = len(language.tokenizer)
    held = {
        tuple({-1: ids["dog"], -2: row, -5: ids["my"], -6: ids["your"]}.get(t, t) for t in pattern)
        for pattern in named.held
    }
    others = (replace(f, family=replace(f.family, weight=0.0)) for f in language.facts[1:])
    only = replace(language, facts=(replace(named, keys=((ids["dog"],),)), *others))
    plan = Plan(3, 1, 8, noise=0.0, unknown_keys=0.0, owners=0.0, lists=0.0, framed=0.95, asked=1.0, snippets=0.0)
    said = {unmarked(language, t.said) for turns, probes in drawn(only, plan, 150) for t in turns + probes}
    assert not said & held


def test_values_and_keys_of_the_test_split_do_not_occur_in_training(language):
    never = set(language.test_nouns)
    assert 60 < len(never) < len(language.nouns) / 4
    told = [t for turns, probes in drawn(language, Plan(9, 6, 8), 200) for t in turns + probes if t.kind != "who"]
    assert not {v for t in told for v in t.values} & never
    tested = [
        t
        for turns, probes in drawn(language, Plan(9, 6, 8, test_words=True, known_value=1.0, lists=0.0), 40)
        for t in turns
    ]
    assert all(set(t.values) <= never for t in tested)
    assert any(t.values for t in tested)
    for patterns in language.facts:
        assert not set(patterns.keys) & set(patterns.test_keys)
    assert {len(keys_of(k)) for k in TEST_KEYS} == {1, 2}
    assert all(word in language.tokenizer.ids for key in TEST_KEYS for word in keys_of(key))


def test_the_newest_value_is_the_answer_and_the_first_is_kept(language):
    """Read off the turns alone: the last telling that acknowledges this fact, and the first."""
    plan = Plan(12, 3, 8, corrections=1.0, first=0.3, plain=True, lists=0.0, noise=0.0, snippets=0.0, joined=0.0)
    newest = first = 0
    for turns, probes in drawn(language, plan, 120, 3):
        told = [(t.answer, t.values) for t in turns if t.kind == "told"]
        for probe in probes:
            if probe.kind not in ("corrected", "first") or not probe.values:
                continue
            position = [v for _, v in told].index(probe.values)
            assert [v for _, v in told].count(probe.values) == 1
            frame = Counter(probe.answer) - Counter(probe.values)
            same = [
                i
                for i, (answer, values) in enumerate(told)
                if _about(language, answer, values) == _key(language, frame)
            ]
            if probe.kind == "corrected":
                assert position == max(same)
                newest += 1
            else:
                assert position == min(same)
                first += 1
    assert newest > 100
    assert first > 100


SAID_OTHERWISE = """
    noted got it okay now nice cool good great know lovely at first . , to you worked lived was were are live work works
    your is name meet
"""


def _key(language: Language, words: Counter[int]) -> frozenset[int]:
    return frozenset(words) - {language.tokenizer.ids[w] for w in SAID_OTHERWISE.split()}


def _about(language: Language, answer: tuple[int, ...], values: tuple[int, ...]) -> frozenset[int]:
    return _key(language, Counter(answer) - Counter(values))


def test_what_was_never_told_is_not_known(language):
    """An abstaining answer has no word that only a value brought in, and comes for near misses too."""
    words = len(language.tokenizer)
    shared = total = 0
    for turns, probes in drawn(language, Plan(9, 5, 8, noise=0.0, asked=0.3, untold=0.8), 150, 4):
        values = {v for t in turns for v in t.values if v >= words}
        told = [set(t.said) for t in turns if t.kind == "told"]
        for probe in probes:
            if "abstain" in probe.kind and probe.kind != "who abstain":
                assert not probe.values
                assert not set(probe.answer) & values
                total += 1
                content = {t for t in probe.answer if t in language.nouns or t >= words}
                shared += any(content & said for said in told)
    assert total > 300
    assert shared / total > 0.15  # the key itself was told, of something else


def test_lists_are_repeated_in_order(language):
    comma = language.tokenizer.ids[","]
    sizes: Counter[int] = Counter()
    plan = Plan(
        4, 1, 4, plain=True, lists=1.0, owners=0.0, asked=1.0, noise=0.0, snippets=0.0, corrections=0.0, first=0.0
    )
    for turns, probes in drawn(language, plan, 60, 5):
        told = next(t for t in turns if t.values)
        for probe in (p for p in probes if p.kind == "list"):
            assert probe.values == told.values
            sizes[probe.answer.count(comma) + 1] += 1
            at = [told.said.index(v) for v in dict.fromkeys(told.values) if told.said.count(v) == 1]
            assert all(a < b for a, b in pairwise(at))
    assert set(sizes) == {2, 3, 4, 5}


def test_people_have_the_same_things(language):
    ids = language.tokenizer.ids
    whose: Counter[str] = Counter()
    for turns, probes in drawn(language, Plan(8, 6, 8, plain=True, owners=1.0, one_family=0.0), 60, 6):
        owners = [p for p in probes if p.kind == "owner"]
        whose["own"] += sum(p.kind == "fact" for p in probes)
        whose["other"] += len(owners)
        whose["possessive"] += sum(ids["'s"] in p.answer for p in owners)
        for probe in owners:  # whose it is stands in the question as in the answer
            whom = probe.answer[max(probe.answer.index(ids["'s"]) - 1, 0) if ids["'s"] in probe.answer else 0]
            assert whom in probe.said
        assert all(t.values for t in turns if t.kind == "told")
    assert whose["other"] > 80
    assert whose["possessive"] > 50
    assert whose["own"] > 50
    for phrase in ("Our KK is called VV.", "I have a KK called VV.", "What do I call my KK?", "The user's KK is VV."):
        assert not fits_others(phrase)
    for phrase in ("My KK is called VV.", "What did I say my KK was?", "VV is my KK's name."):
        assert fits_others(phrase)


def test_recalled_lines_answer_only_what_the_conversation_does_not(language):
    kinds: Counter[str] = Counter()
    for turns, probes in drawn(language, Plan(8, 4, 8, plain=True, snippets=1.0, noise=0.0), 100, 7):
        newest = {v for t in turns for v in t.values}
        for probe in probes:
            kinds[probe.kind] += 1
            lines = {token for line in probe.snippets for token in line}
            assert len(probe.snippets) <= MAX_SNIPPETS
            assert sum(map(len, probe.snippets)) <= ALL_SNIPPET_TOKENS
            if probe.kind == "snippet":
                assert set(probe.values) <= lines
            elif probe.kind == "snippet own":
                assert set(probe.values) <= newest
            else:
                assert probe.kind == "snippet abstain"
                assert not probe.values
    assert all(kinds[k] > 80 for k in ("snippet", "snippet own", "snippet abstain"))


def test_a_prompt_has_its_lines_before_the_question():
    assert prompt_of([10, 11]) == [BOS, QUERY, 10, 11, ANSWER]
    assert prompt_of([10], [[20, 21], [22]]) == [BOS, RECALL, 20, 21, RECALL, 22, QUERY, 10, ANSWER]


def test_tables_with_six_and_seven_special_tokens_are_read(tmp_path):
    new = Tokenizer.build(["dog"], {})
    assert new.specials == 7
    assert new.ids["dog"] == 7
    new.save(tmp_path / "new.json")
    assert Tokenizer.load(tmp_path / "new.json") == new
    released = Tokenizer.load(RELEASED / "tokenizer.json")
    assert released.words[: released.specials] == SPECIAL[: released.specials]
    (tmp_path / "old.json").write_text(
        '{"words": ["[PAD]", "[BOS]", "[Q]", "[A]", "[EOS]", "[T]", "dog"], "display": {}}'
    )
    assert Tokenizer.load(tmp_path / "old.json").specials == 6
    (tmp_path / "bad.json").write_text('{"words": ["[PAD]", "[BOS]", "dog"], "display": {}}')
    with pytest.raises(ValueError, match="not a tokenizer"):
        Tokenizer.load(tmp_path / "bad.json")


def test_noise_touches_neither_key_nor_value(language):
    plan = Plan(6, 4, 8, noise=1.0, lists=0.0, corrections=0.0, joined=0.0, snippets=0.0)
    changed = 0
    for turns, _ in drawn(language, plan, 60, 8):
        for turn in turns:
            if turn.kind == "told" and turn.values:
                joined = " ".join(map(str, turn.said))
                assert " ".join(map(str, turn.values)) in joined
                changed += any(t in language.fillers for t in turn.said)
    assert changed > 10


def test_the_language_stays_small_and_its_answers_bind(language):
    assert 1400 < len(language.tokenizer) < 2000
    for patterns in language.facts:
        family_name = patterns.family.name
        if not patterns.family.keys:
            continue
        for reply in (patterns.answer, patterns.noted, patterns.changed, patterns.first_answer):
            if reply:
                assert 0 < reply.index(-2) - reply.index(-1) <= 4, family_name
    for texts in (TELLING, ASKING, WONDERING, NAMING, CORRECTING):
        assert all(text.count("SS") == 1 for text in texts)
        assert len(divide(texts, 0)[1]) > 5
    assert len({f.name for f in FAMILIES}) == len(FAMILIES)
    assert all(name in {f.name for f in FAMILIES} for f in FAMILIES for name in f.near)


def test_a_block_without_its_replies_is_refused():
    assert bars(" a b | c\n  d ") == ("a b", "c d")
    with pytest.raises(ValueError, match="not enough"):
        family("x", "told\n  My KK is VV.\nreplies\n  Your KK is VV.")
    with pytest.raises(ValueError, match="first value"):
        family("x", "first\n  What was it?\nreplies\n  a | b | c | d")


def test_samples_are_printed_as_text(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["conversations", "--seed", "1", "--n", "2"])
    main()
    out = capsys.readouterr().out
    assert out.count("dialogue ") == 2
    assert out.count("  ? ") == 16
    assert out.count("user: ") == 18
    assert len({spelled(row) for row in range(400)}) == 400
