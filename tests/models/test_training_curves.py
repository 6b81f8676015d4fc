"""Curves: what a log has is what is drawn, and without matplotlib a run says what to install."""

import json

from models.training.curves import draw_curves, series
from models.training.recipe import RECIPES
from models.training.train import Arguments, train

LINES = [
    {"step": 0, "from": {"matched": 3}},
    {"step": 50, "loss": 3.5, "lr": {"muon": 0.01, "adam": 0.001}},
    {"step": 100, "loss": 2.5, "lr": {"muon": 0.02, "adam": 0.002}, "accuracy": {"4 facts": {"fact": 0.5}, "mlm": 1}},
]


def test_every_figure_of_a_log_is_drawn(tmp_path):
    log = tmp_path / "log.jsonl"
    log.write_text("".join(json.dumps(line) + "\n" for line in LINES))
    assert series(log) == {
        "loss": {"loss": [(50, 3.5), (100, 2.5)]},
        "evaluation": {"4 facts: fact": [(100, 0.5)], "mlm": [(100, 1.0)]},
        "learning rate": {"muon": [(50, 0.01), (100, 0.02)], "adam": [(50, 0.001), (100, 0.002)]},
    }
    draw_curves(log, tmp_path / "curves.png")
    assert (tmp_path / "curves.png").read_bytes().startswith(b"\x89PNG")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["curves.png", "log.jsonl"]


def test_without_matplotlib_a_run_says_so_once_and_goes_on(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("models.training.train.can_draw", lambda: False)
    train(Arguments(preset="tiny", recipe="tiny"), RECIPES["tiny"], tmp_path)
    assert capsys.readouterr().err.count("pip install 'memos[training]'") == 1
    assert not (tmp_path / "curves.png").exists()
    assert (tmp_path / "manifest.json").exists()
