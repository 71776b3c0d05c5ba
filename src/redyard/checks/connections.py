"""Connections and buffers: too many, forgotten, slow ones, and what the server cut off."""

from collections import defaultdict

from redyard.checks.case import Case, Check, Found, Proof, Severity
from redyard.checks.words import kill, most, run, setting, share, size, who

NEAR = 0.9
"""The share of `maxclients` from which few are left."""

LEAKED, LEAKED_IDLE = 50, 60
"""Connections of one client, and seconds of idleness, that look forgotten."""

UNREAD = 8 * 1024 * 1024
"""Bytes that wait for one client, from which it is slow."""

POOL_ERRORS = ("Too many connections", "MaxConnectionsError", "No connection available")


def limit(case: Case) -> Found | None:
    """Look whether there is room for another client."""
    reading = case.reading
    refused = case.step("greet").said if "max number of clients" in case.step("greet").said else ""
    used, most = reading.connected_clients, reading.maxclients or 0
    turned_away = int(case.rates.change("rejected_connections"))
    if not refused and not turned_away and (not most or used < NEAR * most):
        return None
    evidence: dict[str, object] = {"greeting": refused} if refused else {}
    if most:
        evidence |= {"connected_clients": used, "maxclients": most}
        evidence["rejected_connections"] = int(reading.number("rejected_connections"))
    cause = "clients hold all connections" if refused or turned_away else f"{share(used, most)} are in use"
    remedy = setting("maxclients", str(2 * most or 10000)) + "  # and smaller pools in the app"
    return Found(evidence, cause, remedy, Severity.CRITICAL if refused or turned_away else Severity.WARNING)


def turned_away(case: Case) -> Found | None:
    """Look whether clients were refused since the start."""
    times = int(case.reading.number("rejected_connections"))
    if not times or limit(case):
        return None
    evidence = {"rejected_connections": times, "maxclients": case.reading.maxclients or 0}
    return Found(evidence, "all connections were in use for a while", run("INFO clients"))


def pool(case: Case) -> Found | None:
    """Look whether the app's own pool is empty: its client says so, and the server has room."""
    error, reading = case.facts.app_error, case.reading
    if not any(words in error for words in POOL_ERRORS) or not reading.maxclients:
        return None
    if reading.connected_clients >= NEAR * reading.maxclients:
        return None
    evidence = {"error": error[:80], "connected_clients": reading.connected_clients, "maxclients": reading.maxclients}
    cause = "the message is of the app's own pool: its connections are all taken, or never given back"
    return Found(evidence, cause, "redis.BlockingConnectionPool(max_connections=50, timeout=5)  # or redyard.Redis")


def leak(case: Case) -> Found | None:
    """Look for many idle connections of one client; a worker that waits for a job is not idle."""
    groups: dict[str, list[int]] = defaultdict(list)
    for client in case.reading.clients:
        if client.get("flags", "N") == "N" and client.get("cmd", "") not in {"blpop", "bzpopmin", "brpoplpush"}:
            idle = int(client.get("idle", 0))
            if idle >= LEAKED_IDLE:
                groups[who(client).rpartition(":")[0]].append(idle)
    name, idles = max(groups.items(), key=lambda item: len(item[1]), default=("", []))
    if len(idles) < LEAKED:
        return None
    evidence = {"client": name, "idle connections": len(idles), "idle seconds": max(idles)}
    return Found(evidence, "connections are opened and not closed", run("CLIENT LIST") + " | sort | less")


def slow_consumer(case: Case) -> Found | None:
    """Look for a client that does not read what was sent to it."""
    worst, waiting = most(case.reading.clients, "omem")
    if waiting < UNREAD or {"S", "P"} & set(worst.get("flags", "")):
        return None
    evidence = {"client": who(worst), "omem": size(waiting), "cmd": worst.get("cmd", "")}
    remedy = setting("client-output-buffer-limit", "'normal 64mb 16mb 60'") + " && " + kill(worst)
    return Found(evidence, "it asked for much and does not read it; the server keeps it all in memory", remedy)


def half_request(case: Case) -> Found | None:
    """Look for a client that sent a large part of a request, and not the rest."""
    worst, held = most(case.reading.clients, "qbuf")
    if held < UNREAD or "M" in worst.get("flags", ""):
        return None
    evidence = {"client": who(worst), "qbuf": size(held), "idle": worst.get("idle", "")}
    remedy = setting("client-query-buffer-limit", "16mb") + " && " + kill(worst)
    return Found(evidence, "it sends a very large request, slowly; the server keeps what has come in memory", remedy)


def overflow(case: Case) -> Found | None:
    """Look whether readers were cut off because they were too slow."""
    times = int(case.reading.number("client_output_buffer_limit_disconnections"))
    if not times:
        return None
    limits = case.reading.config.get("client-output-buffer-limit", "")
    evidence = {"client_output_buffer_limit_disconnections": times, "client-output-buffer-limit": limits}
    cause = "a subscriber or replica read too slowly and was cut off; what it missed is lost to it"
    return Found(evidence, cause, setting("client-output-buffer-limit", "'pubsub 128mb 32mb 60'"))


def too_big(case: Case) -> Found | None:
    """Look whether requests were refused for their size."""
    times = int(case.reading.number("client_query_buffer_limit_disconnections"))
    told = "invalid bulk length" in case.facts.app_error
    if not times and not told:
        return None
    names = ("query-buffer-limit", "client-query-buffer-limit", "proto-max-bulk-len")
    evidence = {name: case.reading.config[name] for name in names if name in case.reading.config}
    evidence |= {"client_query_buffer_limit_disconnections": str(times)} | (
        {"error": case.facts.app_error} if told else {}
    )
    cause = "a request was larger than the server takes; the client was cut off"
    return Found(
        {**evidence}, cause, setting("proto-max-bulk-len", "512mb") + "  # better: store it elsewhere, keep its address"
    )


def evicted(case: Case) -> Found | None:
    """Look whether clients were cut off to save memory."""
    times = int(case.reading.number("evicted_clients"))
    if not times:
        return None
    evidence = {"evicted_clients": times, "maxmemory-clients": case.reading.config.get("maxmemory-clients", "")}
    return Found(evidence, "all clients' buffers together were over the limit; the largest was cut", run("CLIENT LIST"))


def no_keepalive(case: Case) -> Found | None:
    """Look whether clients that vanished are ever noticed."""
    if case.reading.config.get("tcp-keepalive") != "0" or (case.reading.setting("timeout") or 0) > 0:
        return None
    cause = "a client whose machine vanished keeps its connection for ever: they add up to maxclients"
    return Found({"tcp-keepalive": 0, "timeout": 0}, cause, setting("tcp-keepalive", "300"))


def monitor(case: Case) -> Found | None:
    """Look for a forgotten MONITOR, which copies each command to a client."""
    found = [client for client in case.reading.clients if "O" in client.get("flags", "")]
    if not found:
        return None
    evidence = {"client": who(found[0]), "flags": found[0]["flags"], "age": found[0].get("age", "")}
    return Found(evidence, "MONITOR sends it every command, values included, and halves the speed", kill(found[0]))


CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
TABLE = (
    Check("P22", "max-clients", CRITICAL, Proof.PROOF, "No connections are left", limit),
    Check("P22", "turned-away", Severity.INFO, Proof.TREND, "Clients were turned away", turned_away),
    Check("P23", "pool", WARNING, Proof.STATE, "The app's own pool is empty", pool),
    Check("P24", "leak", WARNING, Proof.TREND, "Connections are forgotten", leak),
    Check("-", "no-keepalive", Severity.INFO, Proof.STATE, "Vanished clients are not noticed", no_keepalive),
    Check("P25", "slow-consumer", WARNING, Proof.PROOF, "A client does not read", slow_consumer),
    Check("P26", "overflow", WARNING, Proof.PROOF, "Slow readers were cut off", overflow),
    Check("P27", "too-big", WARNING, Proof.PROOF, "A request was too big", too_big),
    Check("-", "half-request", WARNING, Proof.PROOF, "A very large request comes slowly", half_request),
    Check("-", "monitor", WARNING, Proof.PROOF, "Somebody watches by MONITOR", monitor),
    Check("P28", "evicted-clients", WARNING, Proof.PROOF, "Clients were cut off to save memory", evicted),
)
