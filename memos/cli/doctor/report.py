"""What the doctor found, as values and as a table."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from memos.cli.tables import cell, table

if TYPE_CHECKING:
    from rich.console import RenderableType

Status = Literal["ok", "warning", "wrong", "skipped"]
MARKS: dict[str, str] = {"ok": "ok", "warning": "warning", "wrong": "WRONG", "skipped": "-"}


@dataclass(frozen=True, slots=True)
class Check:
    """One component: what it is, how it is, and how to mend it."""

    component: str
    status: Status
    detail: str
    version: str | None = None
    mend: str | None = None


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting in force and where its value comes from."""

    name: str
    value: str
    source: str


@dataclass(slots=True)
class Report:
    checks: list[Check] = field(default_factory=list)
    configuration: list[Setting] = field(default_factory=list)

    @property
    def ok(self) -> bool:
        return all(check.status != "wrong" for check in self.checks)

    def add(
        self, component: str, status: Status, detail: str, *, version: str | None = None, mend: str | None = None
    ) -> None:
        self.checks.append(Check(component, status, detail, version, mend))

    @contextmanager
    def guard(self, component: str) -> Iterator[None]:
        """A check that breaks is a finding about its component, and no reason to leave the others out."""
        try:
            yield
        except Exception as error:
            self.add(
                component, "wrong", f"the check itself failed: {type(error).__name__}: {error}",
                mend="Report this to whoever develops memos.",
            )  # fmt: skip

    def as_json(self) -> dict[str, Any]:
        return {
            "ok": self.ok,
            "checks": [asdict(check) for check in self.checks],
            "configuration": [asdict(setting) for setting in self.configuration],
        }

    def as_tables(self) -> "RenderableType":
        from rich.console import Group

        checks = table(
            ("component", "version", "", "what was found"),
            ((c.component, cell(c.version), MARKS[c.status], cell(c.detail)) for c in self.checks),
            whole=("component", "version"),
        )
        settings = table(("setting", "value", "from"), ((s.name, cell(s.value), s.source) for s in self.configuration))
        mends = [f"{c.component}: {c.mend}" for c in self.checks if c.status in ("warning", "wrong") and c.mend]
        verdict = "Nothing is wrong." if self.ok else "Something is wrong."
        advice = ["", "How to mend it:", *(f"  {line}" for line in mends)] if mends else []
        return Group("Configuration in force:", settings, "Components:", checks, verdict, *advice)
