"""Retention policies: make, change and remove them; ask for a run. A removed policy keeps its runs and decisions."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import RowMapping

from memos.kit.errors import Conflict, NotFound
from memos.kit.ids import new_id
from memos.kit.unit_of_work import UnitOfWork
from memos.outbox import store as outbox
from memos.policies import store
from memos.policies.schemas import Action, Policy, PolicyCreate, PolicyDecision, PolicyPatch, PolicyRun

RUN_TASK = "policy"
BY_SCHEDULE = "schedule"
# What each kind of rule may do; the first is what it does unless told otherwise.
ACTIONS: dict[str, tuple[Action, ...]] = {"thin": ("report", "thin"), "expires_at": ("expire",)}
OTHERWISE: tuple[Action, ...] = ("archive", "expire", "erase")
CHANGEABLE = ("name", "rule", "per_user", "action", "every_s", "enabled")


class RuleAction(Conflict):
    """This rule does not do that."""

    code = "rule_action"
    hint = "Choose one of the actions that `context.legal` names, or leave `action` out."


class BuiltinPolicy(Conflict):
    """The built-in policy stays as it is."""

    code = "builtin_policy"
    hint = "Its `enabled` and `every_s` can be changed; to spare one cube, PATCH its expires_at or freeze it."


def view(row: RowMapping) -> Policy:
    return Policy(**{name: row[name] for name in Policy.model_fields})


def run_view(row: RowMapping) -> PolicyRun:
    return PolicyRun(**{name: row[name] for name in PolicyRun.model_fields})


def decision_view(row: RowMapping) -> PolicyDecision:
    return PolicyDecision(**{name: row[name] for name in PolicyDecision.model_fields})


async def get(work: UnitOfWork, policy_id: str) -> Policy:
    return view(_found(await store.get(work, policy_id), policy_id))


async def refuse_unknown(work: UnitOfWork, policy_id: str) -> None:
    """Raises NotFound, though not for a policy that was removed: what it did stays on record."""
    if not await store.known(work, policy_id):
        raise NotFound(f"there is no policy {policy_id}")


async def create(work: UnitOfWork, wanted: PolicyCreate, created_by: str) -> Policy:
    """Raises RuleAction for an action that the rule does not have."""
    policy_id = new_id("rule")
    rule = wanted.rule.model_dump(mode="json")
    store.insert(
        work,
        id=policy_id,
        name=wanted.name,
        rule=rule,
        user_id=wanted.user_id,
        cube_kind=wanted.cube_kind,
        per_user=wanted.per_user,
        action=_action(rule["kind"], wanted.action),
        every_s=wanted.every_s,
        enabled=wanted.enabled,
        created_by=created_by,
    )
    return await get(work, policy_id)


async def change(work: UnitOfWork, policy_id: str, wanted: PolicyPatch) -> Policy:
    """Raises BuiltinPolicy, RuleAction."""
    row = _found(await store.lock(work, policy_id), policy_id)
    given: dict[str, Any] = {name: getattr(wanted, name) for name in wanted.model_fields_set}
    # null says "not by itself" of the interval; of everything else it says nothing.
    given = {name: value for name, value in given.items() if value is not None or name == "every_s"}
    if row["builtin"] and given.keys() - {"enabled", "every_s"}:
        raise BuiltinPolicy
    if wanted.rule is not None:
        given["rule"] = wanted.rule.model_dump(mode="json")
    columns = {name: given.get(name, row[name]) for name in CHANGEABLE}
    kind = columns["rule"]["kind"]
    if "action" in given or kind != row["rule"]["kind"]:
        # Another rule with the old one's action, unless it has none such.
        asked = given.get("action") or (row["action"] if row["action"] in ACTIONS.get(kind, OTHERWISE) else None)
        columns["action"] = _action(kind, asked)
    await store.update(work, id=policy_id, **columns)
    return await get(work, policy_id)


async def remove(work: UnitOfWork, policy_id: str) -> Policy:
    """No run of it begins any more; what one has done stays done. Raises BuiltinPolicy."""
    row = _found(await store.lock(work, policy_id), policy_id)
    if row["builtin"]:
        raise BuiltinPolicy
    await store.delete(work, policy_id)
    return view(row)


async def request_run(work: UnitOfWork, policy_id: str, *, dry_run: bool, created_by: str) -> PolicyRun:
    """Queues a run that decides by this moment."""
    _found(await store.get(work, policy_id), policy_id)
    run_id = new_id("run")
    store.insert_run(
        work, policy_id=policy_id, dry_run=dry_run, id=run_id, as_of=datetime.now(UTC), created_by=created_by
    )
    await outbox.record(work, task=RUN_TASK, subject=run_id, turn_id=None)
    return await get_run(work, policy_id, run_id)


async def run_due(work: UnitOfWork, policy_id: str) -> str:
    """Queues the run of a policy whose time has come; the run's id."""
    now = datetime.now(UTC)
    run_id = await store.run_again(work, policy_id=policy_id, as_of=now, created_by=BY_SCHEDULE)
    if run_id is None:
        run_id = new_id("run")
        store.insert_run(work, policy_id=policy_id, dry_run=False, id=run_id, as_of=now, created_by=BY_SCHEDULE)
    await outbox.record(work, task=RUN_TASK, subject=run_id, turn_id=None)
    return run_id


async def get_run(work: UnitOfWork, policy_id: str, run_id: str) -> PolicyRun:
    row = await store.get_run(work, policy_id, run_id)
    if row is None:
        raise NotFound(f"there is no run {run_id} of policy {policy_id}")
    return run_view(row)


def _found(row: RowMapping | None, policy_id: str) -> RowMapping:
    if row is None:
        raise NotFound(f"there is no policy {policy_id}")
    return row


def _action(kind: str, asked: Action | None) -> Action:
    legal = ACTIONS.get(kind, OTHERWISE)
    if asked is not None and asked not in legal:
        raise RuleAction(f"a rule of kind {kind} cannot {asked}", legal=list(legal))
    return asked or legal[0]
