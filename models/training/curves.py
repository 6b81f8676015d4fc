"""Curves of a run as a PNG, drawn from its log: loss, accuracies by kind, learning rates.

Notable choices
* matplotlib is in the extra `training` only; without it a run says so once and goes on without curves.
* Drawn on a canvas without a display (Agg) and without global state, into a new file that then takes the old one's
  place.
"""

import importlib.util
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MISSING = "no curves: matplotlib is not installed (pip install 'memos[training]')"
SIZE_INCHES = (9.0, 10.0)


def can_draw() -> bool:
    """Whether matplotlib is there."""
    return importlib.util.find_spec("matplotlib") is not None


def series(log: Path) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """What a log has to draw: panel -> name -> (step, value)."""
    panels: dict[str, dict[str, list[tuple[int, float]]]] = {"loss": {}, "evaluation": {}, "learning rate": {}}

    def add(panel: str, name: str, step: int, value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                add(panel, f"{name}: {key}" if name else key, step, inner)
        elif isinstance(value, int | float):
            panels[panel].setdefault(name, []).append((step, float(value)))

    for line in log.read_text().splitlines():
        entry = json.loads(line)
        if "loss" in entry:
            add("loss", "loss", entry["step"], entry["loss"])
            add("evaluation", "", entry["step"], entry.get("accuracy", {}))
            add("learning rate", "", entry["step"], entry.get("lr", {}))
    return panels


def draw_curves(log: Path, out: Path) -> None:
    """Writes the PNG. Needs matplotlib."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    panels = {title: lines for title, lines in series(log).items() if lines}
    figure = Figure(figsize=SIZE_INCHES, layout="constrained")
    FigureCanvasAgg(figure)
    if panels:
        axes: list[Axes] = list(figure.subplots(len(panels), 1, squeeze=False)[:, 0])
        for axis, (title, lines) in zip(axes, panels.items(), strict=True):
            for name, points in sorted(lines.items()):
                axis.plot([p[0] for p in points], [p[1] for p in points], marker=".", label=name)
            axis.set_title(title)
            axis.set_xlabel("step")
            axis.grid(alpha=0.3)
            if len(lines) > 1:
                axis.legend(fontsize="x-small", loc="center left", bbox_to_anchor=(1.0, 0.5))
    fresh = out.with_suffix(".new")
    figure.savefig(fresh, format="png", dpi=100)
    fresh.replace(out)
