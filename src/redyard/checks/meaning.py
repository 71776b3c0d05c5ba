"""Meaning: the server is well, and the app asks it for the wrong thing, or nobody does the work."""

import re
from collections.abc import Iterator

from redyard.checks.case import Backlog, Case, Check, Found, Proof, Severity
from redyard.checks.words import run
from redyard.reading import Reading

OFTEN = 10
"""Errors since the start from which they are no slip of a person at a prompt."""

FAILING, FAILING_SHARE = 20, 0.2
"""Refused calls of a command, and as a share of all its calls, from which it does not work."""

EXPLAINED = frozenset(
    (
        *("OOM", "READONLY", "MISCONF", "NOREPLICAS", "MASTERDOWN", "CLUSTERDOWN", "MOVED", "ASK", "CROSSSLOT"),
        *("LOADING", "BUSY", "NOAUTH", "WRONGPASS", "NOPERM", "NOSCRIPT", "WRONGTYPE", "EXECABORT", "BUSYGROUP"),
    )
)
"""Errors that other checks name, or that every start brings."""

GREETINGS = frozenset(
    {"hello", "auth", "client", "command", "config", "info", "select", "ping", "acl", "xgroup", "evalsha"}
)
"""Commands of clients' and tools' own, which try what a server may not have."""

CENTURY = 100 * 365 * 86400.0
"""Seconds of life from which an end is a mistake: milliseconds taken for seconds."""


def wrong_database(case: Case) -> Found | None:
    """Look whether the address names an empty database beside a full one."""
    keys = case.reading.keys
    if not case.seen or keys.get(case.database) or not keys or case.reading.mode == "cluster":
        return None
    other = max(keys, key=lambda number: keys[number])
    users = sorted(
        {client.get("name") or "unnamed" for client in case.reading.clients if client.get("db") == str(other)}
    )
    evidence = {f"db{case.database} keys": 0, f"db{other} keys": keys[other], f"clients in db{other}": ", ".join(users)}
    cause = f"the address ends with /{case.database}, the keys are in database {other}"
    severity = Severity.INFO if len(keys) > 1 else None  # who uses several may have emptied one
    return Found(evidence, cause, f"REDIS_URL=redis://…/{other}", severity)


def wrong_type(case: Case) -> Found | None:
    """Look whether two programs use the same keys for different things."""
    return _errors(case, "WRONGTYPE", "two apps share a prefix, or a key has changed its type", "a prefix for each app")


def no_script(case: Case) -> Found | None:
    """Look whether scripts are called that the server does not know."""
    count = int(case.reading.row("errorstat_NOSCRIPT").get("count", 0))
    calls = case.reading.row("cmdstat_evalsha")
    if count < 50 or count < 0.1 * calls.get("calls", 0):
        return None
    evidence = {"errorstat_NOSCRIPT": count, "cmdstat_evalsha calls": int(calls.get("calls", 0))}
    cause = "scripts are forgotten at a restart or SCRIPT FLUSH, and the client does not send them again"
    return Found(evidence, cause, "EVAL TEXT …  # after NOSCRIPT; redis.register_script does that")


def unknown_command(case: Case) -> Found | None:
    """Look whether the app needs a newer server, or a module."""
    match = re.search(r"unknown command [`'\"]?([\w.]+)", case.facts.app_error, re.IGNORECASE)
    if match is None:
        return None
    name, reading = match[1].upper(), case.reading
    evidence = {"command": name, "engine": f"{reading.engine} {reading.version}"}
    if "." in name:
        cause = f"{name} is of a module that this server does not have"
    elif name in {"CONFIG", "FLUSHALL", "FLUSHDB", "KEYS", "DEBUG"}:
        cause = f"{name} was renamed or switched off by whoever runs the server"
    else:
        cause = f"{name} came with a later version than {reading.engine} {reading.version}"
    return Found(evidence, cause, run(f"COMMAND INFO {name}") + "  # nothing: upgrade the server, or do without")


def no_info(case: Case) -> Found | None:
    """Look whether the server let itself be read at all."""
    reason = case.reading.unasked.get("info", "")
    if not reason.startswith("ERR"):
        return None
    cause = "INFO is refused: hardly any check could be made, and finding nothing says nothing"
    return Found({"INFO": reason[:100]}, cause, run("COMMAND INFO info") + "  # whoever runs the server renamed it")


def no_config(case: Case) -> Found | None:
    """Look whether the settings can be read."""
    reason = case.reading.unasked.get("config", "")
    if not reason or case.reading.mode == "sentinel":  # it has none
        return None
    cause = "the settings cannot be read; some checks were not made"
    return Found({"CONFIG GET": reason[:100]}, cause, run(f"ACL SETUSER {case.user or 'default'} +config|get"))


def aborted(case: Case) -> Found | None:
    """Look whether transactions were thrown away."""
    return _errors(
        case,
        "EXECABORT",
        "a command within MULTI was wrong, so that all of it was thrown away",
        "the command that was refused before EXEC",
        1,
    )


def paused(case: Case) -> Found | None:
    """Look for queues that are paused while jobs wait."""
    found = [queue for queue in case.queues if queue.paused and queue.waiting]
    if not found:
        return None
    queue = max(found, key=lambda one: one.waiting)
    evidence = {"queue": queue.name, "meta paused": 1, "waiting": queue.waiting}
    remedy = f'Queue(redis, "{queue.name}").resume()  # or: ' + run(f"HDEL bull:{queue.name}:meta paused")
    return Found(evidence, "the queue was paused and not resumed", remedy)


def no_workers(case: Case) -> Found | None:
    """Look for queues whose jobs nobody takes."""
    blocked = case.reading.number("blocked_clients")
    found = [queue for queue in case.queues if _is_left(queue, blocked)]
    if not found:
        return None
    queue = max(found, key=lambda one: one.waiting + one.active)
    evidence = {
        "queue": queue.name,
        "waiting": queue.waiting,
        "active": queue.active,
        "locks": queue.locked,
        "blocked_clients": int(blocked),
    }
    cause = (
        "jobs wait, and no worker does: it is not started, or has died"
        if queue.waiting
        else "a worker died at its jobs"
    )
    return Found(evidence, cause, f"python -m your_worker  # for the queue {queue.name}; it takes stalled jobs again")


def _is_left(queue: Backlog, blocked: float) -> bool:
    return not queue.paused and queue.locked == 0 and (queue.active > 0 or (queue.waiting > 0 and not blocked))


def failing(case: Case) -> Found | None:
    """Look for a command of the app that is refused again and again, for a reason that no other check names."""
    errors = {name: int(case.reading.row(f"errorstat_{name}").get("count", 0)) for name in _error_names(case)}
    known = sum(count for name, count in errors.items() if name in EXPLAINED)
    found = {name: (bad, calls) for name, bad, calls in _refusals(case.reading) if bad - known >= FAILING}
    name = max(found, key=lambda one: found[one][0], default="")
    if not name or found[name][0] - known < FAILING_SHARE * found[name][1]:
        return None
    bad, calls = found[name]
    shown = ", ".join(f"{error} {count}" for error, count in errors.items() if error not in EXPLAINED)
    before = {one: refused for one, refused, _ in _refusals(case.rates.before)}
    evidence = {"command": name.upper(), "refused": bad, "calls": calls, "errors": shown}
    cause = f"{name.upper()} is given what it cannot take: a wrong number of words, not a number, a function not loaded"
    severity = Severity.WARNING if bad > before.get(name, bad) else Severity.INFO
    return Found(evidence, cause, 'redyard doctor --error "TEXT OF THE ERROR"  # the app has it in its log', severity)


def _error_names(case: Case) -> Iterator[str]:
    return (field.removeprefix("errorstat_") for field in case.reading.info if field.startswith("errorstat_"))


def _refusals(reading: Reading) -> Iterator[tuple[str, int, int]]:
    """Yield each command with how often it was refused, and asked for."""
    for field in reading.info:
        name = field.removeprefix("cmdstat_")
        if name != field and name.partition("|")[0] not in GREETINGS:
            row = reading.row(field)
            rejected = int(row.get("rejected_calls", 0))
            yield name, rejected + int(row.get("failed_calls", 0)), rejected + int(row.get("calls", 0))


def flushed(case: Case) -> Found | None:
    """Look whether somebody emptied it since its start."""
    calls = {name: int(case.reading.row(f"cmdstat_{name}").get("calls", 0)) for name in ("flushall", "flushdb")}
    if not any(calls.values()):
        return None
    evidence: dict[str, object] = {**{name: count for name, count in calls.items() if count}}
    evidence["keys now"] = case.reading.total_keys
    empty_store = case.facts.role in {"store", "queue"} and not case.reading.total_keys
    forbid = run(f"ACL SETUSER {case.user or 'default'} -flushall -flushdb")
    cause = "the data did not vanish by themselves: a client emptied the server, or a database of it"
    return Found(evidence, cause, forbid, Severity.WARNING if empty_store else Severity.INFO)


def far_end(case: Case) -> Found | None:
    """Look for keys that live for centuries."""
    found = [key for key in case.keys if key.ttl > CENTURY]
    if not found:
        return None
    years = round(found[0].ttl / CENTURY * 100)
    evidence = {"prefix": f"{found[0].prefix}:", "keys": len(found), "sampled": len(case.keys), "years to live": years}
    cause = "milliseconds were given where seconds are meant: these keys never end"
    return Found(evidence, cause, "EXPIREAT KEY SECONDS  # or PEXPIREAT KEY MILLISECONDS")


def _errors(case: Case, name: str, cause: str, remedy: str, often: int = OFTEN) -> Found | None:
    count = int(case.reading.row(f"errorstat_{name}").get("count", 0))
    if not count:
        return None
    severity = Severity.WARNING if count >= often else Severity.INFO
    return Found({f"errorstat_{name}": count}, cause, run("INFO errorstats") + f"  # mend: {remedy}", severity)


WARNING = Severity.WARNING
TABLE = (
    Check("P63", "wrong-database", WARNING, Proof.STATE, "The database is empty, and another is not", wrong_database),
    Check("P64", "wrong-type", WARNING, Proof.TREND, "Keys have another type than expected", wrong_type),
    Check("P65", "no-script", WARNING, Proof.TREND, "Scripts are not known", no_script),
    Check("P66", "unknown-command", WARNING, Proof.PROOF, "The server does not know a command", unknown_command),
    Check("P67", "no-info", WARNING, Proof.PROOF, "The server cannot be read", no_info),
    Check("P67", "no-config", Severity.INFO, Proof.PROOF, "The settings cannot be read", no_config),
    Check("P68", "aborted", WARNING, Proof.TREND, "Transactions are thrown away", aborted),
    Check("P69", "paused", WARNING, Proof.STATE, "A queue is paused, and jobs wait", paused),
    Check("P70", "no-workers", WARNING, Proof.STATE, "Jobs wait and nobody works", no_workers),
    Check("-", "failing", WARNING, Proof.TREND, "A command is refused again and again", failing),
    Check("-", "flushed", WARNING, Proof.PROOF, "Somebody emptied it", flushed),
    Check("-", "far-end", WARNING, Proof.STATE, "Keys live for centuries", far_end),
)
