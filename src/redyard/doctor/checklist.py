"""The production checklist, each line proved by evidence: pass, fail with its remedy, or not applicable."""

from collections.abc import Callable
from typing import NamedTuple

from redyard.checks import Case, Finding, Severity
from redyard.units import format_instant

PASS, FAIL, NOT_APPLICABLE, UNKNOWN = "pass", "fail", "not applicable", "unknown"


class Line(NamedTuple):
    """A line: what is to hold, the checks that would find that it does not, and when it does not apply."""

    name: str
    checks: tuple[str, ...]
    evidence: Callable[[Case], dict[str, object]]
    applies: Callable[[Case], bool] = lambda _: True


class Answer(NamedTuple):
    """A line's answer."""

    name: str
    result: str
    evidence: dict[str, object]
    remedy: str = ""


def _info(*names: str) -> Callable[[Case], dict[str, object]]:
    return lambda case: {name: case.reading.info.get(name, "unknown") for name in names}


def _config(*names: str) -> Callable[[Case], dict[str, object]]:
    return lambda case: {name: case.reading.config.get(name, "unknown") for name in names}


def _step(name: str) -> Callable[[Case], dict[str, object]]:
    return lambda case: {name: case.step(name).said or ("ok" if case.step(name).ok else case.step(name).fault)}


def _is_remote(case: Case) -> bool:
    return case.host not in {"127.0.0.1", "::1", "localhost", ""} and not case.host.endswith(".internal")


def _keeps(case: Case) -> bool:
    return case.role in {"store", "queue"}


def _backups(case: Case) -> dict[str, object]:
    at = case.facts.backup_at
    return {"backup_at": format_instant(at) if at else "never"}


TABLE = (
    Line(
        "The app reaches the server", ("name", "family", "refused", "black-hole", "frozen", "stranger"), _step("ping")
    ),
    Line(
        "It takes writes", ("full", "misconf", "read-only", "no-replicas", "cluster", "busy", "loading"), _step("write")
    ),
    Line("A password is needed", ("open", "password", "wrong-password"), _step("authenticate")),
    Line(
        "Nothing of it lies open",
        ("unlocked", "excess", "strangers", "listens", "modes", "tracked", "image"),
        lambda _: {"users, addresses, modes, git, images": "as they should be"},
        lambda case: case.facts.exposure is not None,
    ),
    Line("The way there is encrypted", ("authority", "expiry", "host-name", "unverified"), _step("tls"), _is_remote),
    Line("Memory has a limit", ("unlimited", "nearly-full"), _info("used_memory", "maxmemory")),
    Line("The policy fits what is kept", ("evicts", "thrash"), _info("maxmemory_policy", "evicted_keys")),
    Line(
        "It outlives a restart", ("forgetful", "emptied", "fork"), _config("appendonly", "appendfsync", "save"), _keeps
    ),
    Line("Backups are recent and proved", ("backups",), _backups, _keeps),
    Line(
        "Connections suffice",
        ("max-clients", "turned-away", "pool", "leak", "churn"),
        _info("connected_clients", "maxclients"),
    ),
    Line("Idle connections are not cut", ("idle",), _config("timeout", "tcp-keepalive")),
    Line("Keys that are to end do", ("endless", "finished-jobs"), _info("expired_keys")),
    Line(
        "No command holds up the others",
        ("slow-commands", "slow-script", "blocking-delete", "big-key"),
        lambda case: {"slow_log": "unknown" if "slow" in case.reading.unasked else len(case.reading.slow)},
    ),
    Line("Slow commands are remembered", (), _config("slowlog-log-slower-than", "latency-monitor-threshold")),
    Line(
        "Replicas follow",
        ("link", "lag"),
        _info("connected_slaves"),
        lambda case: bool(case.reading.number("connected_slaves")),
    ),
    Line(
        "Queues are worked on",
        ("paused", "no-workers"),
        lambda case: {one.name: one.waiting for one in case.queues},
        lambda case: bool(case.queues),
    ),
)


def walk(case: Case, findings: list[Finding]) -> list[Answer]:
    """Answer each line from what an examination found."""
    return [_answer(line, case, findings) for line in TABLE]


def _answer(line: Line, case: Case, findings: list[Finding]) -> Answer:
    found = [finding for finding in findings if finding.check in line.checks]
    worst = next((finding for finding in found if finding.severity is not Severity.INFO), None)
    remark = next((one for one in found if one.check in {"unlimited", "idle"}), None)
    if failed := worst or remark:
        return Answer(line.name, FAIL, dict(failed.evidence), failed.remedy)
    if not case.seen:
        return Answer(line.name, UNKNOWN, {"reading": "the server could not be read"})
    if not line.applies(case):
        return Answer(line.name, NOT_APPLICABLE, {"role": case.role or "unknown", "host": case.host})
    evidence = line.evidence(case)
    if line.name.startswith("Backups") and case.facts.backup_every is None:
        return Answer(line.name, UNKNOWN, {"backups": "not known here"}, "redyard backups list")
    unknown = set(evidence.values()) == {"unknown"}
    return Answer(line.name, UNKNOWN if unknown else PASS, evidence)
