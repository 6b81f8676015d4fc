"""The service itself, through `/readyz` and `/v1/stats`: the API, its database, the generator, the relay, the
processes it keeps running, and the invariants.
"""

from pathlib import Path
from typing import Any

from memos.cli.doctor.report import Report, Setting
from memos.cli.session import Session

HASHES = ("sha256", "fingerprint", "bytes")  # too long to be read here
SHORT_HASH = 12
LOG_TAIL_BYTES = 8192
LOG_MEND = "See the service's output and the logs in its data directory."
INVARIANT_MEND = "Something wrote past the service, or a bug did: keep the data as it is, and restore from a backup."
EMBEDDER_MEND = "Put the model where MEMOS_EMBEDDER says, or name another one there; memories are kept meanwhile."
GONE_MEND = "Put that model back, or let it be: its memories are embedded anew (`memos embedder status`)."
MENDS = {
    "database": "See postgres above; the service connects again by itself.",
    "generator": "See the model worker: the process below, or the address in MEMOS_MODEL_URL.",
    "relay": "Restart the service; if it stays so, see `memos jobs --status failed`.",
}


def service(session: Session, report: Report, data_dir: Path) -> bool:
    """True when a service is up and takes turns. `data_dir` is where an embedded one keeps its logs."""
    from memos.sdk import APIConnectionError, APIStatusError, Memos, NotConfiguredError

    try:
        client = Memos(session.url, session.api_key, data_dir=session.data_dir, timeout_s=10.0, max_retries=0)
    except NotConfiguredError as error:
        report.add("api", "warning", "not running", mend=error.hint)
        report.add("relay", "skipped", "runs with the API")
        return False
    where = client.address
    report.configuration.append(Setting("(client) url", where.url, where.url_from))
    key = "set, not shown" if where.api_key else "unset"
    report.configuration.append(Setting("(client) api_key", key, where.api_key_from or "default"))
    with client:
        try:
            ready = client.ready()
        except APIConnectionError as error:
            report.add("api", "wrong", error.message, mend="Start it with `make run`, or check MEMOS_URL.")
            return False
        except APIStatusError as error:
            report.add("api", "wrong", f"{client.url}: {error.message}", mend=error.hint or LOG_MEND)
            return False
        detail = client.url if ready.ok else f"{client.url} cannot take a turn"
        mend = None if ready.ok else "See the parts named below."
        report.add("api", "ok" if ready.ok else "wrong", detail, version=ready.version, mend=mend)
        for name, check in ready.checks.items():
            _part(report, name, check, data_dir)
        _key_and_stats(report, client)
        return ready.ok


def _part(report: Report, name: str, check: dict[str, Any], data_dir: Path) -> None:
    detail = check.get("detail")
    if name == "processes" and isinstance(detail, dict):
        for child, state in detail.items():
            _process(report, child, state, data_dir / f"{child}.log")
        return
    if check.get("ok"):
        report.add(_shown(name), "ok", _summary(check), version=_version_of(detail))
        return
    mend = MENDS.get(name) or check.get("hint") or LOG_MEND
    report.add(_shown(name), "wrong", _summary(check), mend=str(mend))


def _shown(name: str) -> str:
    return name if name == "relay" else f"api: {name}"


def _process(report: Report, name: str, state: Any, log: Path) -> None:
    """A supervised child: postgres, the model worker."""
    fields = state if isinstance(state, dict) else {"state": state}
    running = fields.get("state") in ("up", "running", "ready", "ok")
    shown = ", ".join(f"{key} {value}" for key, value in fields.items() if value is not None and key != "started")
    last = None if running else last_line(log)
    if last:
        shown += f"; its log ends: {last}"
    mend = None if running else f"See {log}; the service starts it again by itself."
    report.add(f"process: {name}", "ok" if running else "warning", shown, mend=mend)


def last_line(log: Path) -> str | None:
    """Of a log that may be large, and may be somebody else's."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            lines = file.read().decode(errors="replace").split("\n")
    except OSError:
        return None
    return next((line.strip() for line in reversed(lines) if line.strip()), None)


def _summary(check: dict[str, Any]) -> str:
    parts = []
    for key, value in check.items():
        if key in ("ok", "hint"):
            continue
        if isinstance(value, dict):
            shown = {inner: known for inner, known in value.items() if not inner.endswith(HASHES)}
            parts += [f"{inner} {known}" for inner, known in shown.items() if isinstance(known, str | int | float)]
        else:
            parts.append(f"{key} {value}")
    return ", ".join(parts) or "answers"


def _version_of(detail: Any) -> str | None:
    found = detail.get("fingerprint") if isinstance(detail, dict) else None
    return str(found)[:SHORT_HASH] if found else None


def _key_and_stats(report: Report, client: Any) -> None:
    from memos.sdk import MemosError

    try:
        stats = client.stats()
    except MemosError as error:
        report.add("api key", "wrong", f"{error.code}: {error.message}", mend=error.hint)
        return
    report.add("api key", "ok", "accepted")
    jobs = stats.model_dump().get("jobs")
    failed = int(jobs.get("failed", 0)) if isinstance(jobs, dict) else 0
    shown = ", ".join(f"{count} {status}" for status, count in jobs.items()) if isinstance(jobs, dict) else "none"
    if failed:
        mend = "`memos jobs --status failed` shows their errors, `memos jobs retry ID` queues one again."
        report.add("background work", "warning", shown, mend=mend)
    else:
        report.add("background work", "ok", shown or "none")
    _embedder(report, stats.model_dump().get("embedder"))
    _invariants(report, stats.model_dump().get("invariants") or [])


def _embedder(report: Report, state: Any) -> None:
    """The embedding model in force, and whatever memories are searched without theirs."""
    if not isinstance(state, dict):
        return  # an older service
    force = state["in_force"]
    if not force["available"]:
        report.add("embedder", "wrong", f"{force['model']}: {force['reason']}", mend=EMBEDDER_MEND)
    else:
        moving = f"; {len(state['switching'])} owners' memories are on their way to it" if state["switching"] else ""
        report.add("embedder", "ok", f"{force['model']}{moving}")
    for gone in (model for model in state["in_use"] if not model["available"]):
        shown = f"{gone['scopes']} owners' memories are found by words alone: {gone['model']}: {gone['reason']}"
        report.add("dense search", "warning", shown, mend=GONE_MEND)


def _invariants(report: Report, states: list[dict[str, Any]]) -> None:
    """What must always be true: a line for each that is not, or could not be looked at; one for all the others."""
    for state in states:
        examples = "; ".join(f"{example['subject']}: {example['detail']}" for example in state["examples"][:3])
        if state["findings"]:
            shown = f"{state['findings']} found: {examples}"
            report.add(f"invariant: {state['name']}", "wrong", shown, mend=INVARIANT_MEND)
        elif state["error"]:
            report.add(f"invariant: {state['name']}", "warning", f"not checked: {state['error']}", mend=LOG_MEND)
    checked = [state["checked_at"] for state in states if state["checked_at"] and not state["error"]]
    if checked:
        report.add("invariants", "ok", f"{len(checked)} of {len(states)} checked, the last at {max(checked)}")
    else:
        report.add("invariants", "skipped", "not checked yet")
