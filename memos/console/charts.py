"""Small charts, as SVG made on the server: nothing to load, nothing to run. Colours come from the style sheet; what a
mark says is its title, and whoever cannot see a chart is told its sum."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

GAP = 2


@dataclass(frozen=True, slots=True)
class Bar:
    """One mark: `said` is its title."""

    value: float
    said: str


def bars(values: Sequence[Bar], what: str, *, height: int = 44, step: int = 9) -> Markup:
    """Upright bars side by side, in units of the largest; the base line is always there."""
    most = max((bar.value for bar in values), default=0) or 1
    width = max(len(values) * step - GAP, step)
    marks = []
    for place, bar in enumerate(values):
        tall = round(bar.value / most * (height - 2), 1)
        tall = max(tall, 1.5) if bar.value else 0
        # The hit area is as tall as the chart: an empty day has something to say as well.
        marks.append(
            Markup('<g><title>{}</title><rect class="hit" x="{}" y="0" width="{}" height="{}"/>'
                   '<rect class="bar" x="{}" y="{}" width="{}" height="{}" rx="1"/></g>').format(
                bar.said, place * step, step, height, place * step, round(height - 1 - tall, 1), step - GAP, tall
            )
        )  # fmt: skip
    return Markup(
        '<svg class="chart" role="img" aria-label="{}" viewBox="0 0 {} {}" preserveAspectRatio="none">'
        '{}<line class="base" x1="0" x2="{}" y1="{}" y2="{}"/></svg>'
    ).format(what, width, height, Markup().join(marks), width, height - 0.5, height - 0.5)


def meter(share: float, what: str, *, tone: str = "accent") -> Markup:
    """A share of 1 as a bar lying down."""
    full = round(max(0.0, min(share, 1.0)) * 100, 1)
    return Markup(
        '<svg class="meter" role="img" aria-label="{}" viewBox="0 0 100 8" preserveAspectRatio="none"><title>{}</title>'
        '<rect class="track" width="100" height="8" rx="2"/><rect class="{}" width="{}" height="8" rx="2"/></svg>'
    ).format(what, what, tone, full)
