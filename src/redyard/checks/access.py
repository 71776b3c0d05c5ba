"""Being let in: passwords, users, rights, and who else gets in."""

import ipaddress

from redyard.checks.case import Case, Check, Found, Proof, Severity
from redyard.checks.words import run, setting
from redyard.reading import Denial

LOCAL = {"127.0.0.1", "::1", "localhost", ""}
RECENT = 3600.0
"""Seconds for which a refusal in the ACL log is news."""


def password(case: Case) -> Found | None:
    """Look whether a password is asked for."""
    if case.fault("authenticate") != "NOAUTH":
        return None
    cause = "the server asks for a password and the address has none"
    remedy = "REDIS_URL=redis://default:PASSWORD@HOST:PORT/0  # `redyard vars` prints it for an add-on"
    return Found({"PING": case.step("authenticate").said, "password in the address": False}, cause, remedy)


def wrong(case: Case) -> Found | None:
    """Look whether user and password are taken."""
    step = case.step("authenticate")
    if step.fault not in {"WRONGPASS", "ERR"}:
        return None
    cause = f"the user {case.user or 'default'} is off, unknown, or has another password (special letters are %XX)"
    return Found(
        {"user": case.user or "default", "AUTH": step.said}, cause, run("ACL GETUSER " + (case.user or "default"))
    )


def failures(case: Case) -> Found | None:
    """Look whether others were refused lately."""
    seen = [denial for denial in case.reading.denials if denial.reason == "auth" and denial.age < RECENT]
    times = sum(denial.times for denial in seen)
    if times < 10:
        return None
    users = ", ".join(sorted({denial.user for denial in seen}))
    evidence = {"ACL LOG reason=auth": times, "users": users}
    return Found(evidence, "a client has an old password, or somebody guesses", run("ACL LOG 10"), Severity.INFO)


def rights(case: Case) -> Found | None:
    """Look whether a user lacks a right that it uses."""
    steps = [case.step(name) for name in ("ping", "info", "read", "write", "script")]
    own = next((step for step in steps if step.fault == "NOPERM"), None)
    seen = [denial for denial in case.reading.denials if _matters(denial)]
    if own is None and sum(denial.times for denial in seen) < 3:
        return None
    user = case.user or "default"
    evidence: dict[str, object] = {"user": user}
    if own:
        evidence[own.name] = own.said
        what = {"read": "+@read", "write": "+@write", "script": "+@scripting", "info": "+info"}.get(own.name, "+ping")
        severity = Severity.INFO if own.name in {"info", "script"} or " key" in own.said else Severity.CRITICAL
        return Found(evidence, f"the user {user} may not do this", run(f"ACL SETUSER {user} {what} '~app:*'"), severity)
    worst = max(seen, key=lambda denial: denial.times)
    what = worst.object.partition(":")[0] + ":*" if worst.reason in {"key", "channel"} else worst.object
    evidence = {"user": worst.user, "object": what, "reason": worst.reason, "times": worst.times}
    cause = f"the user {worst.user} is refused {what}"
    grant = {"key": "~", "channel": "&"}.get(worst.reason, "+") + what
    return Found(evidence, cause, run(f"ACL SETUSER {worst.user} '{grant}'"), Severity.WARNING)


def _matters(denial: Denial) -> bool:
    """Say whether an app was refused, not a login and not somebody who looks, as this examination does."""
    looks = denial.object.startswith(("temp:doctor:", "config", "acl", "slowlog", "latency", "commandlog", "memory"))
    return denial.reason != "auth" and denial.age < RECENT and not looks


def protected(case: Case) -> Found | None:
    """Look whether it lets strangers in from its own machine alone."""
    if case.fault("greet", "authenticate") != "DENIED":
        return None
    step = case.step("greet")
    cause = "protected mode: without a password it answers its own machine alone"
    return Found({"greeting": step.said[:80], "host": case.host}, cause, setting("requirepass", "PASSWORD"))


def open_door(case: Case) -> Found | None:
    """Look whether anybody is let in from anywhere."""
    if case.step("greet").facts.get("without_password") != "PONG":
        return None
    bind = case.reading.config.get("bind", "")
    outside = [one for one in bind.split() if not _is_local(one.lstrip("-"))]
    if "bind" not in case.reading.config and not _is_local(case.host):
        outside = [case.host]
    if not outside or case.reading.config.get("protected-mode") == "yes":
        return None
    evidence = {"PING without password": "PONG", "bind": " ".join(outside), "protected-mode": "no"}
    cause = "whoever reaches the port may read, write and delete everything"
    return Found(evidence, cause, setting("requirepass", "PASSWORD") + " && " + setting("bind", "127.0.0.1"))


def _is_local(host: str) -> bool:
    if host in LOCAL:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.startswith("/")


TABLE = (
    Check("P17", "password", Severity.CRITICAL, Proof.PROOF, "A password is needed", password),
    Check("P18", "wrong-password", Severity.CRITICAL, Proof.PROOF, "User or password is wrong", wrong),
    Check("P18", "failed-logins", Severity.INFO, Proof.TREND, "Others fail to log in", failures),
    Check("P19", "rights", Severity.CRITICAL, Proof.PROOF, "A right is missing", rights),
    Check("P20", "protected", Severity.CRITICAL, Proof.PROOF, "Protected mode refuses other machines", protected),
    Check("P21", "open", Severity.CRITICAL, Proof.PROOF, "Anybody is let in", open_door),
)
