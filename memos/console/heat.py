"""The heat map of a state: a row for each slot that was written, a column for each version, and in the cell how much of
the slot that version replaced or, measured by the model, how far it moved. Made as SVG on the server; a cell's title
says the turn and the words, and a table beneath it says the same of the strongest.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup
from sqlalchemy import RowMapping

CELL, LABEL, TOP = 15, 64, 26
MOST_SLOTS = 64
LEVELS = 8  # shades of the style sheet
STRONGEST = 25


@dataclass(frozen=True, slots=True)
class Cell:
    """One slot at one version; `amount` from 0 to 1, or beyond where a slot moved by more than it was."""

    version: int
    turn_id: str | None
    seq: int | None
    layer: int
    slot: int
    amount: float
    words: Sequence[str]

    @property
    def said(self) -> str:
        turn = f"turn {self.seq} (v{self.version})" if self.seq is not None else f"version {self.version}"
        words = f": {' · '.join(self.words)}" if self.words else ""
        return f"layer {self.layer}, slot {self.slot}, {turn}, {self.amount:.2f}{words}"


def cells(rows: Sequence[RowMapping], moved: Mapping[int, Sequence[Any]] | None = None) -> list[Cell]:
    """Of rows of `store.written`; with `moved`, the drift of each slot by version number takes the gate's place."""
    found = []
    for row in rows:
        wrote = {(write["layer"], write["slot"]): write for write in row["written"] or ()}
        where = {"version": row["number"], "turn_id": row["turn_id"], "seq": row["turn_seq"]}
        if moved is None:
            amounts = {place: float(write["gate"]) for place, write in wrote.items()}
        else:
            amounts = {(slot.layer, slot.slot): slot.drift for slot in moved.get(row["number"], ())}
        for (layer, slot), amount in amounts.items():
            words = wrote.get((layer, slot), {}).get("words", ())
            found.append(Cell(**where, layer=layer, slot=slot, amount=amount, words=words))
    return found


def layers(found: Sequence[Cell]) -> list[int]:
    return sorted({cell.layer for cell in found})


def strongest(found: Sequence[Cell]) -> list[Cell]:
    return sorted(found, key=lambda cell: (-cell.amount, -cell.version, cell.layer, cell.slot))[:STRONGEST]


def drawn(found: Sequence[Cell], versions: Sequence[RowMapping], what: str) -> tuple[Markup, int]:
    """The map of these versions, oldest first, and how many slots it leaves out: those that changed least."""
    total: dict[tuple[int, int], float] = {}
    for cell in found:
        total[cell.layer, cell.slot] = total.get((cell.layer, cell.slot), 0.0) + cell.amount
    kept = sorted(sorted(total, key=lambda place: -total[place])[:MOST_SLOTS])
    line = {place: number for number, place in enumerate(kept)}
    column = {row["number"]: number for number, row in enumerate(versions)}
    most = max((cell.amount for cell in found), default=1.0) or 1.0
    marks = [
        Markup('<rect class="h{}" x="{}" y="{}" width="{}" height="{}" rx="2"><title>{}</title></rect>').format(
            _level(cell.amount / most), LABEL + column[cell.version] * CELL, TOP + line[cell.layer, cell.slot] * CELL,
            CELL - 2, CELL - 2, cell.said,
        )
        for cell in found if (cell.layer, cell.slot) in line
    ]  # fmt: skip
    width, height = LABEL + len(versions) * CELL, TOP + len(kept) * CELL
    sides = [
        Markup('<text class="axis" x="{}" y="{}" text-anchor="end">{}·{}</text>').format(
            LABEL - 6, TOP + line[place] * CELL + CELL - 5, *place
        )
        for place in kept
    ]
    tops = [
        Markup('<a href="{}"><text class="axis top" x="{}" y="{}"><title>{}</title>{}</text></a>').format(
            f"/console/turns/{row['turn_id']}" if row["turn_id"] else f"#v{row['number']}",
            LABEL + column[row["number"]] * CELL + CELL / 2 - 1, TOP - 8,
            f"{row['operation']}, version {row['number']}", row["turn_seq"] if row["turn_seq"] is not None else "·",
        )
        for row in versions if column[row["number"]] % 2 == 0 or len(versions) <= 12
    ]  # fmt: skip
    grid = Markup('<rect class="grid" x="{}" y="{}" width="{}" height="{}"/>').format(
        LABEL - 1, TOP - 1, len(versions) * CELL, len(kept) * CELL
    )
    picture = Markup(
        '<svg class="heat" role="group" aria-label="{}" width="{}" height="{}" viewBox="0 0 {} {}">{}{}{}{}</svg>'
    ).format(
        what, width, height, width, height, grid, Markup().join(tops), Markup().join(sides), Markup().join(marks)
    )  # fmt: skip
    return picture, len(total) - len(kept)


def _level(share: float) -> int:
    return max(1, min(LEVELS, round(share * LEVELS)))
