"""What the service answers about erasures, as values. See `models` for the base of all of them."""

from datetime import datetime
from typing import Any

from memos.sdk.models import Model


class Erasure(Model):
    """An erasure or a dry run: where it stands, how many things of each store it reaches, and its signed receipt."""

    id: str
    target: str
    subject: str
    derived: str
    dry_run: bool
    status: str
    step: str
    plan: dict[str, dict[str, int]]
    done: int
    receipt: dict[str, Any] | None = None
    error: dict[str, Any] | None = None
    requested_by: str
    created_at: datetime
    logical_at: datetime | None = None
    physical_at: datetime | None = None


class ErasureItem(Model):
    """One thing that an erasure reaches, and why. Ids and numbers, never what was said."""

    store: str
    id: str
    action: str
    why: str
    details: dict[str, Any]
    done_at: datetime | None = None


class ReceiptChecked(Model):
    """What a receipt is worth now: `ok` when every signature holds, nothing is left and every chain verifies."""

    ok: bool
    erasure_id: str | None = None
    signatures: dict[str, bool]
    residue: list[str]
    broken_chains: list[str]
    checked: int
