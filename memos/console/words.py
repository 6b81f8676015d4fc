"""How the console says things: ages, sizes, shortened ids, and the words of its navigation."""

import json
import re
from datetime import datetime
from typing import Any

NOTHING = "-"  # where there is no figure
_ID = re.compile(r"^([a-z]{3,5})_([0-9a-f]{32})$")
_KINDS = {
    "conv": "conversation", "turn": "turn", "cube": "cube", "ver": "version", "job": "job", "rule": "policy",
    "run": "run", "erase": "erasure", "key": "key", "token": "session", "prop": "proposal", "dec": "decision",
}  # fmt: skip

# (group, ((name, address, key), ...)): `g` and then the key goes there.
NAVIGATION = (
    ("", (("Overview", "/console", "o"),)),
    ("Memory", (
        ("Users", "/console/users", "u"), ("Conversations", "/console/conversations", "c"),
        ("Cubes", "/console/cubes", "m"), ("Search", "/console/search", "s"), ("Chat", "/console/chat", "t"),
    )),
    ("Governance", (
        ("Erasures", "/console/erasures", "e"), ("Policies", "/console/policies", "p"),
        ("Consolidations", "/console/consolidations", "n"), ("Deltas", "/console/deltas", "d"),
    )),
    ("Operations", (("Jobs", "/console/jobs", "j"), ("Audit log", "/console/audit", "a"))),
)  # fmt: skip
SHORTCUTS = (
    ("?", "Show or hide this list"),
    ("/", "Go to the first field of the page"),
    ("g then a letter", "Go to a page: the letter stands beside it in the navigation"),
    ("j and k", "Next and previous row of a list"),
    ("Enter", "Open the row"),
    ("l", "Light, dark, or as the system says"),
    ("Escape", "Leave a field, or close what is open"),
)
DONE = {
    "rolled-back": "Rolled back. A version was appended; nothing was taken away.",
    "forked": "Forked. Both go their own ways from here.",
    "merging": "The other conversation's turns are being taken in.",
    "frozen": "Frozen. Nothing changes it until it is unfrozen.",
    "unfrozen": "Unfrozen.",
    "archived": "Archived. It is out of recall, and can be activated again.",
    "activated": "Activated.",
    "expired": "Expired. It is out of recall, and kept.",
    "retried": "Queued again.",
    "erasing": "The erasure has begun.",
    "dry-run": "A dry run: nothing has been changed.",
    "begun": "A new conversation.",
    "said": "Answered.",
    "run": "The run is queued.",
    "proposal-accepted": "Accepted: a delta is being trained.",
    "proposal-dismissed": "Dismissed.",
}
# htmx without what a strict page refuses: no eval, no styles of its own, no copies of pages in the browser's storage.
HTMX = json.dumps(
    {
        "includeIndicatorStyles": False,
        "allowEval": False,
        "selfRequestsOnly": True,
        "historyCacheSize": 0,
        "refreshOnHistoryMiss": True,
        "responseHandling": [
            {"code": "204", "swap": False},
            {"code": "[23]..", "swap": True},
            {"code": "[45]..", "swap": True, "error": False},
        ],
    }
)


def short(id: str | None) -> str:
    """`cube_…9f3a2b1c`: the last digits are the random ones."""
    found = _ID.match(id or "")
    if found is None:
        return id or ""
    return f"{found[1]}_…{found[2][-8:]}"


def kind_of(id: str) -> str | None:
    """What an id names, in a word; None for what is no id of ours."""
    found = _ID.match(id)
    return _KINDS.get(found[1]) if found else None


def ago(moment: datetime, now: datetime) -> str:
    seconds = (now - moment).total_seconds()
    if abs(seconds) < 5:
        return "now"
    said = span(abs(seconds))
    return f"{said} ago" if seconds > 0 else f"in {said}"


def span(seconds: float | None) -> str:
    """A length of time in its largest unit."""
    if seconds is None:
        return NOTHING
    for unit, length in (("d", 86_400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            whole = seconds / length
            return f"{whole:.0f} {unit}" if whole >= 10 or unit != "d" else f"{whole:.1f} {unit}".replace(".0", "")
    return f"{seconds:.0f} s" if seconds >= 1 or seconds == 0 else f"{seconds * 1000:.0f} ms"


def count(number: float | None) -> str:
    return NOTHING if number is None else f"{number:,.0f}"


def size(size_bytes: float | None) -> str:
    if size_bytes is None:
        return NOTHING
    amount = float(size_bytes)
    for unit in ("B", "kB", "MB", "GB"):
        if amount < 1000 or unit == "GB":
            break
        amount /= 1000
    return f"{amount:.0f} {unit}" if amount >= 10 or unit == "B" else f"{amount:.1f} {unit}"


def pretty(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False, default=str)
