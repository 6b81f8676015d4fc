"""How results look to people. Ids are never cut: they are there to be copied."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from memos.cli.session import printable

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memos.sdk import Conversation, Explanation, Job, Key, ReadSlot, Turn

LONGEST_CELL = 100


def cell(value: Any) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, datetime):
        return value.astimezone().strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(value, float):
        return f"{value:.3f}"
    return printable(str(value))


def short(text: str | None) -> str:
    """A text on one line."""
    line = " ".join((text or "").split())
    return cell(line if len(line) <= LONGEST_CELL else line[: LONGEST_CELL - 1] + "…")


def table(columns: Sequence[str], rows: Iterable[Sequence[str]], *, whole: Sequence[str] = ()) -> "RenderableType":
    """`whole` names the columns that are never folded."""
    from rich import box
    from rich.table import Table

    made: Table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in columns:
        made.add_column(column, no_wrap=column in whole, overflow="fold")
    count = 0
    for row in rows:
        made.add_row(*row)
        count += 1
    return made if count else "(none)"


def conversations_table(items: "list[Conversation]") -> "RenderableType":
    return table(
        ("id", "user", "title", "turns", "pending", "state", "forked from", "created"),
        (
            (
                c.id,
                short(c.user_id),
                short(c.title),
                str(c.turn_count),
                str(c.pending_turns),
                f"v{c.state_version}",
                f"{c.forked_from.conversation_id} @{c.forked_from.at_turn}" if c.forked_from else "-",
                cell(c.created_at),
            )
            for c in items
        ),
        whole=("id",),
    )


def turns_table(items: "list[Turn]") -> "RenderableType":
    return table(
        ("seq", "id", "status", "input", "output", "state read", "written"),
        (
            (
                str(t.seq),
                t.id,
                t.status,
                short(t.input),
                short(t.output),
                cell(t.memory.state_version),
                cell(t.memory.written_version),
            )
            for t in items
        ),
        whole=("seq", "id", "status"),
    )


def explanation_table(value: "Explanation") -> "RenderableType":
    from rich.console import Group

    timings = ", ".join(f"{name} {ms:.1f}" for name, ms in value.timings_ms.items())
    facts = [
        ("turn", f"{value.turn_id} (seq {value.seq}, {value.status})"),
        ("model", cell(value.model)),
        ("state it read had taken in turns", ", ".join(map(str, value.state_turns)) or "none"),
        ("turns it lagged behind", cell(value.lag)),
        ("it became", f"{value.wrote.version_id} (v{value.wrote.number})" if value.wrote else "not applied yet"),
        ("ended by", cell(value.finish_reason)),
        ("milliseconds", timings or "-"),
    ]
    reads = table(
        ("rank", "kind", "cube", "version", "score"),
        ((str(r.rank), r.kind, r.cube_id, f"v{r.number} {r.version_id}", cell(r.score)) for r in value.read),
        whole=("cube",),
    )
    return Group(table(("what", "value"), facts), "memory versions it read:", reads, *_slots(value))


def _slots(value: "Explanation") -> "list[RenderableType]":
    """What the answer read of the state, as a sentence and then in full."""
    if value.slots is None:
        why = value.slots_unavailable  # missing: the service is older than this client
        reason = f"{why.code}: {printable(why.detail)}" if why else "this service does not say"
        return [f"slots it read: not known ({reason})"]
    if not value.slots:
        return ["slots it read: none that can be named"]
    rows = (
        (
            str(s.slot),
            str(s.layer),
            f"{s.share:.0%}",
            f"{s.written_at.seq} {s.written_at.turn_id}" if s.written_at else "-",
            cell(s.written_at.gate if s.written_at else None),
            short(" ".join(s.written_at.words)) if s.written_at else "no turn to speak of",
        )
        for s in value.slots
    )
    whole = table(("slot", "layer", "share", "written at turn", "gate", "from"), rows, whole=("slot", "layer", "share"))
    return [*_most_read(value.slots), "slots it read most:", whole]


def _most_read(slots: "list[ReadSlot]") -> list[str]:
    """The sentence that most who ask want: the first slot that a turn wrote."""
    for slot in slots:
        if slot.written_at is not None:
            words = printable(" ".join(slot.written_at.words))
            where = f"slot {slot.slot} of layer {slot.layer}"
            return [f"The answer read {where}, written at turn {slot.written_at.seq} from '{words}'."]
    return []


def jobs_table(items: "list[Job]") -> "RenderableType":
    return table(
        ("id", "task", "subject", "status", "dispatches", "failures", "progress", "error", "created"),
        (
            (
                j.id,
                j.task,
                j.subject,
                j.status,
                str(j.dispatches),
                str(j.failures),
                f"{j.progress['done']}/{j.progress['total']}" if j.progress else "-",
                short(str(j.error.get("detail") or j.error)) if j.error else "-",
                cell(j.created_at),
            )
            for j in items
        ),
        whole=("id",),
    )


def keys_table(items: "list[Key]") -> "RenderableType":
    return table(
        ("id", "name", "prefix", "scopes", "created", "revoked"),
        ((k.id, short(k.name), k.prefix, ", ".join(k.scopes), cell(k.created_at), cell(k.revoked_at)) for k in items),
        whole=("id", "prefix"),
    )
