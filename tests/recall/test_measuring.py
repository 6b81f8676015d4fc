"""`memos bench recall`: its figures on lists one can count by hand, its two forms of data, and the command itself."""

import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from memos.recall.measuring.data import UnreadableData, load
from memos.recall.measuring.figures import Answered, by_group, figures
from memos.recall.measuring.parties import PARTIES
from memos.recall.measuring.run import measure
from tests.recall.making import DIMENSIONS

OWN = {
    "scopes": [
        {
            "id": "ada",
            "memories": [
                {"id": "m1", "text": "I moved to Rome", "at": "2023-05-08T13:56:00Z", "speaker": "Ada", "thread": "s1"},
                {"id": "m2", "text": "I like the dog"},
            ],
            "questions": [
                {"text": "Where did Ada move?", "evidence": ["m1"], "kind": "facts"},
                {"text": "What is liked?", "evidence": ["m2", "m7"]},
                {"text": "What is not there?", "evidence": ["m9"]},
            ],
        }
    ]
}
LOCOMO = [
    {
        "sample_id": "one",
        "conversation": {
            "speaker_a": "Ada",
            "speaker_b": "Grace",
            "session_1": [
                {"speaker": "Ada", "dia_id": "D1:1", "text": "I moved to Rome"},
                {"speaker": "Grace", "dia_id": "D1:2", "text": "I like the dog"},
            ],
            "session_1_date_time": "1:56 pm on 8 May, 2023",
            "session_2_date_time": "1:56 pm on 9 May, 2023",
            "session_2": [{"speaker": "Ada", "dia_id": "D2:1", "text": "Tea"}],
        },
        "qa": [
            {"question": "Where did Ada move?", "evidence": ["D1:1", "D2:1; D1:2"], "category": 1},
            {"question": "Who is it?", "evidence": [], "category": 2},
            {"question": "Who was it not?", "evidence": ["D1:1"], "category": 5},
        ],
    }
]


def _embed(texts: Any) -> Any:
    made = np.array(
        [np.frombuffer(sha256(text.encode()).digest()[:DIMENSIONS], np.uint8) for text in texts], np.float32
    )
    made -= 127
    return made / np.linalg.norm(made, axis=1, keepdims=True)


def _file(folder: Path, content: Any) -> Path:
    path = folder / "data.json"
    path.write_text(json.dumps(content))
    return path


def test_figures_are_those_one_counts_by_hand() -> None:
    first = Answered("a", "x", ("1", "2"), ("9", "1", "8", "7", "6", "2"))
    second = Answered("b", "y", ("3",), ("9",))
    found = figures([first, second])
    assert (found["recall@5"], found["recall@10"]) == (0.25, 0.5)
    assert (found["recall_any@5"], found["recall_all@5"], found["recall_all@10"]) == (0.5, 0.0, 0.5)
    assert found["mrr"] == 0.25
    groups = by_group([first, second])
    assert groups["kinds"] == {"x": {"questions": 1, **figures([first])}, "y": {"questions": 1, **figures([second])}}
    assert groups["recall@10_by_scope"] == {"a": 1.0, "b": 0.0}


def test_our_own_form(tmp_path: Path) -> None:
    data = load(_file(tmp_path, OWN))
    assert [question.evidence for question in data.scopes[0].questions] == [("m1",), ("m2",)]
    assert (data.skipped.unknown_evidence, data.skipped.without_evidence) == (2, 1)
    assert data.scopes[0].items[0].speaker == "Ada"


def test_the_form_of_locomo(tmp_path: Path) -> None:
    data = load(_file(tmp_path, LOCOMO))
    scope = data.scopes[0]
    assert [item.cube_id for item in scope.items] == ["D1:1", "D1:2", "D2:1"]
    assert [item.thread for item in scope.items] == ["session 1", "session 1", "session 2"]
    assert scope.items[0].at == 1_683_554_160.0
    assert [(question.kind, question.evidence) for question in scope.questions] == [("multi-hop", ("D1:1",))]
    assert (data.skipped.malformed_evidence, data.skipped.without_evidence) == (1, 1)


@pytest.mark.parametrize("content", [{}, [], {"scopes": [{}]}, {"scopes": []}, [{"qa": []}], 5])
def test_what_cannot_be_asked_is_refused(tmp_path: Path, content: Any) -> None:
    with pytest.raises(UnreadableData, match=r"data\.json"):
        load(_file(tmp_path, content))


def test_all_parties_answer_and_the_ablation_goes_from_one_signal_to_all(tmp_path: Path) -> None:
    found = measure(load(_file(tmp_path, OWN)), _embed, ablation=True)
    assert set(found["parties"]) == set(PARTIES)
    assert found["parties"]["memos"]["recall@5"] == 1.0
    rows = {row["signals"]: row["recall@5"] for row in found["ablation"]}
    assert rows["all"] == 1.0
    assert "all without person" in rows


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from memos.cli.main import app

    texts = ["I moved to Rome", "I like the dog", "Where did Ada move?", "Where did I move?", "What is liked?"]
    names = [sha256(text.encode()).hexdigest() for text in texts]
    np.savez(tmp_path / "kept.npz", names=np.array(names), vectors=_embed(texts))
    given = ["bench", "recall", str(_file(tmp_path, OWN)), "--vectors", str(tmp_path / "kept.npz")]
    assert not app([*given, "--json"], standalone_mode=False)
    assert json.loads(capsys.readouterr().out)["questions"] == 2
    assert not app(given, standalone_mode=False)
    assert "recall@10" in capsys.readouterr().out
