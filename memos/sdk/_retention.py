"""The calls of policies and consolidation, as values, and bound to a client; as `_calls` and `_resources`."""

from collections.abc import Iterable, Mapping
from typing import Any

from memos.sdk import models, retention
from memos.sdk._calls import Call, _get, _given, _path, _post, reads
from memos.sdk._resources import _async_pages, _AsyncResource, _awaits, _pages, _Resource, _sends


def policies_create(
    name: str,
    rule: Mapping[str, Any],
    *,
    user_id: str | None = None,
    cube_kind: str | None = None,
    per_user: bool | None = None,
    action: str | None = None,
    every_s: float | None = None,
    enabled: bool | None = None,
    idempotency_key: str | None = None,
) -> Call[retention.Policy]:
    """Makes a retention rule, such as {"kind": "least_recently_used", "most": 1000}. It archives what it decides about,
    unless `action` says expire or erase; with `every_s` it runs by itself."""
    body = _given(
        name=name, rule=dict(rule), user_id=user_id, cube_kind=cube_kind, per_user=per_user, action=action,
        every_s=every_s, enabled=enabled,
    )  # fmt: skip
    return _post(reads(retention.Policy), "/v1/policies", body, idempotency_key)


def policies_list(
    *, user_id: str | None = None, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[retention.Policy]]":
    """Iterates over the retention rules, the built-in one last."""
    page = reads(models.Page[retention.Policy])
    return _get(page, "/v1/policies", user_id=user_id, limit=page_size, cursor=cursor)


def policies_get(policy_id: str) -> Call[retention.Policy]:
    """One retention rule."""
    return _get(reads(retention.Policy), _path("v1", "policies", policy_id))


def policies_update(policy_id: str, **changes: Any) -> Call[retention.Policy]:
    """Changes a rule from its next run on: `name`, `rule`, `per_user`, `action`, `every_s` (None: on request only) or
    `enabled`."""
    return Call("PATCH", _path("v1", "policies", policy_id), reads(retention.Policy), body=changes)


def policies_delete(policy_id: str) -> Call[retention.Policy]:
    """Removes a rule. What it has done stays done, and its decisions stay on record."""
    return Call("DELETE", _path("v1", "policies", policy_id), reads(retention.Policy))


def policies_run(
    policy_id: str, *, dry_run: bool = False, idempotency_key: str | None = None
) -> Call[retention.PolicyRun]:
    """Queues a run. With `dry_run` every decision is listed with its reason, and nothing changes."""
    path = _path("v1", "policies", policy_id, "run")
    return _post(reads(retention.PolicyRun), path, {"dry_run": dry_run}, idempotency_key)


def policies_runs(
    policy_id: str, *, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[retention.PolicyRun]]":
    """Iterates over the runs of a rule, newest first."""
    page = reads(models.Page[retention.PolicyRun])
    return _get(page, _path("v1", "policies", policy_id, "runs"), limit=page_size, cursor=cursor)


def policies_get_run(policy_id: str, run_id: str) -> Call[retention.PolicyRun]:
    """One run of a rule."""
    return _get(reads(retention.PolicyRun), _path("v1", "policies", policy_id, "runs", run_id))


def policies_decisions(
    policy_id: str, *, run_id: str | None = None, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[retention.PolicyDecision]]":
    """Iterates over what a rule decided, why, and how that ended; newest first."""
    page = reads(models.Page[retention.PolicyDecision])
    path = _path("v1", "policies", policy_id, "decisions")
    return _get(page, path, run_id=run_id, limit=page_size, cursor=cursor)


def consolidations_create(
    user_id: str,
    *,
    dry_run: bool = False,
    steps: Iterable[str] | None = None,
    similarity: float | None = None,
    min_reads: int | None = None,
    stable_s: float | None = None,
    most: int | None = None,
    idempotency_key: str | None = None,
) -> Call[retention.Consolidation]:
    """Queues a consolidation of a user's memories. `steps`: merge, supersede, fold, propose; all of them by default.
    With `dry_run` it only plans."""
    body = _given(
        user_id=user_id, dry_run=dry_run, steps=None if steps is None else list(steps), similarity=similarity,
        min_reads=min_reads, stable_s=stable_s, most=most,
    )  # fmt: skip
    return _post(reads(retention.Consolidation), "/v1/consolidations", body, idempotency_key)


def consolidations_list(
    *, user_id: str | None = None, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[retention.Consolidation]]":
    """Iterates over the consolidations, newest first."""
    page = reads(models.Page[retention.Consolidation])
    return _get(page, "/v1/consolidations", user_id=user_id, limit=page_size, cursor=cursor)


def consolidations_get(run_id: str) -> Call[retention.ConsolidationPlan]:
    """One consolidation with its plan, and what became of each step."""
    return _get(reads(retention.ConsolidationPlan), _path("v1", "consolidations", run_id))


def proposals_list(
    *, status: str | None = None, user_id: str | None = None, page_size: int | None = None, cursor: str | None = None
) -> "Call[models.Page[retention.Proposal]]":
    """Iterates over what consolidations propose, newest first. `status`: open, accepted or dismissed."""
    page = reads(models.Page[retention.Proposal])
    return _get(page, "/v1/proposals", status=status, user_id=user_id, limit=page_size, cursor=cursor)


def proposals_accept(proposal_id: str, *, idempotency_key: str | None = None) -> Call[retention.Proposal]:
    """Has a delta trained on the memory, for its user."""
    return _post(reads(retention.Proposal), _path("v1", "proposals", proposal_id, "accept"), None, idempotency_key)


def proposals_dismiss(proposal_id: str, *, idempotency_key: str | None = None) -> Call[retention.Proposal]:
    """Leaves the memory as it is. It is not proposed again until it changes."""
    return _post(reads(retention.Proposal), _path("v1", "proposals", proposal_id, "dismiss"), None, idempotency_key)


class Policies(_Resource):
    """Retention rules: what leaves recall, when, and why."""

    create = _sends(policies_create)
    list = _pages(policies_list)
    get = _sends(policies_get)
    update = _sends(policies_update)
    delete = _sends(policies_delete)
    run = _sends(policies_run)
    runs = _pages(policies_runs)
    get_run = _sends(policies_get_run)
    decisions = _pages(policies_decisions)


class AsyncPolicies(_AsyncResource):
    """Retention rules: what leaves recall, when, and why."""

    create = _awaits(policies_create)
    list = _async_pages(policies_list)
    get = _awaits(policies_get)
    update = _awaits(policies_update)
    delete = _awaits(policies_delete)
    run = _awaits(policies_run)
    runs = _async_pages(policies_runs)
    get_run = _awaits(policies_get_run)
    decisions = _async_pages(policies_decisions)


class Consolidations(_Resource):
    """Runs that put a user's memories in order."""

    create = _sends(consolidations_create)
    list = _pages(consolidations_list)
    get = _sends(consolidations_get)


class AsyncConsolidations(_AsyncResource):
    """Runs that put a user's memories in order."""

    create = _awaits(consolidations_create)
    list = _async_pages(consolidations_list)
    get = _awaits(consolidations_get)


class Proposals(_Resource):
    """What consolidations propose to be learned by deltas."""

    list = _pages(proposals_list)
    accept = _sends(proposals_accept)
    dismiss = _sends(proposals_dismiss)


class AsyncProposals(_AsyncResource):
    """What consolidations propose to be learned by deltas."""

    list = _async_pages(proposals_list)
    accept = _awaits(proposals_accept)
    dismiss = _awaits(proposals_dismiss)
