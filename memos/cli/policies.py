"""Retention policies: list, create, run, see what was decided, remove."""

import time
from itertools import islice
from typing import TYPE_CHECKING, Annotated, Any

import typer

from memos.cli.command import command
from memos.cli.history import Limit, page_size
from memos.cli.session import Session

if TYPE_CHECKING:
    from rich.console import RenderableType

    from memos.sdk import Memos, Policy, PolicyDecision, PolicyRun

policies_app = typer.Typer(help="Lists retention policies; create, run, decisions, enable, disable, remove.")
PolicyId = Annotated[str, typer.Argument(metavar="ID", help="Id of a policy.")]
POLL_S = 0.2


@command(policies_app, group=True)
def policies(
    session: Session,
    user: Annotated[str | None, typer.Option("--user", help="Only those about this user's cubes.")] = None,
    limit: Limit = 50,
) -> None:
    """Lists retention policies: what leaves recall, when, and why."""
    found = session.client.policies.list(user_id=user, page_size=page_size(limit))
    session.emit_items(islice(found, limit), _policies_table)


@command(policies_app, "create")
def policies_create(
    session: Session,
    name: Annotated[str, typer.Argument(metavar="NAME", help="What the policy is for.")],
    kind: Annotated[str, typer.Argument(metavar="RULE", help="Kind of the rule, such as ttl or least_recently_used.")],
    numbers: Annotated[
        list[str] | None, typer.Argument(metavar="NUMBER=VALUE", help="Its numbers, such as most=1000 or ttl_s=86400.")
    ] = None,
    user: Annotated[str | None, typer.Option("--user", help="Whose cubes; everybody's by default.")] = None,
    cube_kind: Annotated[
        str | None,
        typer.Option("--kind", help="plaintext, activation or parameter; without it no conversation's state."),
    ] = None,
    per_user: Annotated[bool, typer.Option("--per-user", help="The numbers hold for each user apart.")] = False,
    action: Annotated[str | None, typer.Option("--action", help="archive (the default), expire or erase.")] = None,
    every: Annotated[float | None, typer.Option("--every", help="Seconds between two runs by itself.")] = None,
) -> None:
    """Makes a retention policy."""
    rule: dict[str, Any] = {"kind": kind} | dict(_number(given) for given in numbers or [])
    made = session.client.policies.create(
        name, rule, user_id=user, cube_kind=cube_kind, per_user=per_user or None, action=action, every_s=every
    )
    session.emit(made, lambda: f"{made.id} ({made.action})")


@command(policies_app, "run")
def policies_run(
    session: Session,
    policy: PolicyId,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="List every decision, and change nothing.")] = False,
) -> None:
    """Runs a policy now, waits for its end, and shows what it decided and why."""
    with session.waiting("running the policy"):
        run = _ended(session.client, session.client.policies.run(policy, dry_run=dry_run))
        made = list(session.client.policies.decisions(policy, run_id=run.id))[::-1]
    body = {"run": run.model_dump(mode="json"), "decisions": [one.model_dump(mode="json") for one in made]}
    session.emit(body, lambda: _run_view(run, made))
    if run.status == "failed":
        raise typer.Exit(1)


@command(policies_app, "decisions")
def policies_decisions(
    session: Session,
    policy: PolicyId,
    run: Annotated[str | None, typer.Option("--run", help="Only those of this run.")] = None,
    limit: Limit = 50,
) -> None:
    """Lists what a policy decided, why, and how that ended; newest first, and also of one that was removed."""
    found = session.client.policies.decisions(policy, run_id=run, page_size=page_size(limit))
    session.emit_items(islice(found, limit), _decisions_table)


@command(policies_app, "enable")
def policies_enable(session: Session, policy: PolicyId) -> None:
    """Lets a policy run by itself again."""
    changed = session.client.policies.update(policy, enabled=True)
    session.emit(changed, lambda: f"{changed.id} is enabled")


@command(policies_app, "disable")
def policies_disable(session: Session, policy: PolicyId) -> None:
    """Keeps a policy from running by itself; on request it still runs."""
    changed = session.client.policies.update(policy, enabled=False)
    session.emit(changed, lambda: f"{changed.id} is disabled")


@command(policies_app, "remove")
def policies_remove(session: Session, policy: PolicyId) -> None:
    """Removes a policy. What it has done stays done, and its decisions stay on record."""
    removed = session.client.policies.delete(policy)
    session.emit(removed, lambda: f"{removed.id} is removed")


def _number(given: str) -> tuple[str, float | int]:
    from memos.sdk import MemosError

    name, _, value = given.partition("=")
    try:
        number = float(value)
    except ValueError:
        raise MemosError(
            f"{given!r} is no number", code="bad_number", hint="Write NAME=VALUE, as in most=100."
        ) from None
    return name, int(number) if number.is_integer() else number


def _ended(client: "Memos", run: "PolicyRun") -> "PolicyRun":
    while run.status not in ("done", "failed"):
        time.sleep(POLL_S)
        run = client.policies.get_run(run.policy_id, run.id)
    return run


def _run_view(run: "PolicyRun", made: "list[PolicyDecision]") -> "RenderableType":
    from rich.console import Group

    how = "would decide about" if run.dry_run else "decided about"
    ended = "" if run.dry_run else f": {run.done} done, {run.skipped} left alone"
    said = f"{run.id} looked at {run.considered} and {how} {run.decided}{ended}"
    if run.error:
        said = f"{run.id} failed: {run.error.get('detail')}"
    return Group(said, _decisions_table(made))


def _policies_table(items: "list[Policy]") -> "RenderableType":
    from memos.cli.tables import cell, short, table

    def numbers(policy: "Policy") -> str:
        return " ".join(f"{name}={value}" for name, value in policy.rule.items() if name != "kind")

    def whose(policy: "Policy") -> str:
        return f"{policy.user_id or 'everybody'}{' each' if policy.per_user else ''}"

    return table(
        ("id", "name", "rule", "numbers", "whose", "kind", "action", "every s", "enabled", "last run"),
        (
            (
                p.id, short(p.name), p.rule["kind"], numbers(p) or "-", short(whose(p)), cell(p.cube_kind), p.action,
                cell(p.every_s), "yes" if p.enabled else "no", cell(p.last_run_at),
            )
            for p in items
        ),
        whole=("id",),
    )  # fmt: skip


def _decisions_table(items: "list[PolicyDecision]") -> "RenderableType":
    from memos.cli.tables import cell, short, table

    return table(
        ("cube", "action", "reason", "outcome", "because"),
        ((d.cube_id, d.action, short(d.reason), cell(d.outcome), short(d.outcome_reason)) for d in items),
        whole=("cube",),
    )
