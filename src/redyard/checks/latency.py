"""Latency: commands that hold up everybody, disks that do, and work that comes all at once."""

from collections.abc import Container

from redyard.checks.case import Case, Check, Found, Proof, Severity
from redyard.checks.words import run, setting, share
from redyard.reading import Logged

RECENT = 3600.0
"""Seconds for which an entry of the slow log is news."""

LONG = 1000
"""Elements of a range from which it is long."""

STALLS = 3
"""Late flushes of a day from which it is no single hiccup of the disk."""

SLOW = 0.01
"""Seconds that a command takes from which the others notice."""

LONG_EXEC = 0.1
"""Seconds from which a transaction is too long."""

WHOLE = {
    "KEYS": "redis-cli --scan --pattern 'PATTERN'",
    "SMEMBERS": "SSCAN KEY 0 COUNT 100",
    "HGETALL": "HSCAN KEY 0 COUNT 100",
    "HKEYS": "HSCAN KEY 0 COUNT 100 NOVALUES",
    "HVALS": "HSCAN KEY 0 COUNT 100",
    "LRANGE": "LRANGE KEY 0 99",
    "ZRANGE": "ZRANGE KEY 0 99",
    "ZREVRANGE": "ZRANGE KEY 0 99 REV",
    "ZRANGEBYSCORE": "ZRANGE KEY 0 +inf BYSCORE LIMIT 0 100",
    "ZREVRANGEBYSCORE": "ZRANGE KEY +inf 0 BYSCORE REV LIMIT 0 100",
    "XRANGE": "XRANGE KEY - + COUNT 100",
    "XREVRANGE": "XREVRANGE KEY + - COUNT 100",
    "SCAN": "SCAN 0 COUNT 1000",
    "SORT": "a sorted set",
    "SUNION": "smaller sets, or SSCAN and the app",
    "SDIFF": "smaller sets, or SSCAN and the app",
    "SINTER": "SINTERCARD KEYS LIMIT 100",
    "SUNIONSTORE": "smaller sets, at a quiet time",
    "SDIFFSTORE": "smaller sets, at a quiet time",
    "SINTERSTORE": "smaller sets, at a quiet time",
    "ZUNIONSTORE": "smaller sorted sets, at a quiet time",
    "ZINTERSTORE": "smaller sorted sets, at a quiet time",
    "LREM": "a sorted set or a hash",
    "LINSERT": "a sorted set",
    "LPOS": "a hash, or LPOS KEY ELEMENT MAXLEN 1000",
    "BITCOUNT": "BITCOUNT KEY 0 100000",
    "BITOP": "smaller bitmaps",
    "SAVE": "BGSAVE",
    "FLUSHALL": "FLUSHALL ASYNC",
    "FLUSHDB": "FLUSHDB ASYNC",
}
"""Commands that read the whole of something, and what to use instead."""

SCRIPTS = frozenset({"EVAL", "EVALSHA", "EVAL_RO", "EVALSHA_RO", "FCALL", "FCALL_RO"})


def slow_commands(case: Case) -> Found | None:
    """Look for commands that read everything at once."""
    worst = _worst(case, WHOLE)
    mean = case.reading.row("cmdstat_keys")
    if worst is None and (mean.get("calls", 0) < 10 or mean.get("usec_per_call", 0) < SLOW * 1e6):
        return None
    name = worst.command if worst else "KEYS"
    evidence: dict[str, object] = {"command": name}
    if worst:
        seconds = round(worst.cost * 1000, 1)
        evidence |= {"SLOWLOG ms": seconds, "words": shape(worst.words), "client": worst.client}
    else:
        evidence["cmdstat_keys usec_per_call"] = mean["usec_per_call"]
    forbid = "  # and forbid it: " + run("ACL SETUSER default -keys") if name == "KEYS" else f"  # instead of {name}"
    remedy = WHOLE[name] + forbid
    return Found(evidence, f"{name} looks at everything while all others wait", remedy)


def blind(case: Case) -> Found | None:
    """Look whether slow commands are written down."""
    after, length = case.reading.config.get("slowlog-log-slower-than", ""), case.reading.config.get("slowlog-max-len")
    if not after.startswith("-") and length != "0":
        return None
    evidence = {"slowlog-log-slower-than": after, "slowlog-max-len": length}
    cause = "the slow log is switched off: slow commands cannot be seen, here neither"
    remedy = setting("slowlog-log-slower-than", "10000") + " && " + setting("slowlog-max-len", "128")
    return Found(evidence, cause, remedy)


def long_transaction(case: Case) -> Found | None:
    """Look for transactions of very many commands; the slow log has none of them."""
    slowest = case.reading.row("latency_percentiles_usec_exec").get("p99", 0.0)
    mean = case.reading.row("cmdstat_exec").get("usec_per_call", 0.0)
    if max(slowest, mean) < LONG_EXEC * 1e6:
        return None
    calls = int(case.reading.row("cmdstat_exec").get("calls", 0))
    evidence: dict[str, object] = {"EXEC": calls, "p99 ms": round(max(slowest, mean) / 1000)}
    cause = "a transaction runs as a whole, while all others wait"
    return Found(evidence, cause, "redis.pipeline(transaction=False)  # or some hundred commands a transaction")


def slow_script(case: Case) -> Found | None:
    """Look for scripts that take long and still end."""
    worst = _worst(case, SCRIPTS, 0.1)
    if worst is None:
        return None
    evidence: dict[str, object] = {
        "command": worst.command,
        "SLOWLOG ms": round(worst.cost * 1000),
        "client": worst.client,
    }
    cause = "a script holds up all clients until it ends"
    return Found(evidence, cause, run("SLOWLOG GET 10") + "  # bound its loops; do the work in pieces")


def busy(case: Case) -> Found | None:
    """Look whether a script runs now that does not end."""
    fault = case.fault("greet", "authenticate", "ping", "info", "write")
    if fault != "BUSY":
        return None
    evidence: dict[str, object] = {"PING": case.step("ping").said or case.step("greet").said}
    cause = "a script or function runs for longer than busy-reply-threshold; nothing else is served"
    return Found(evidence, cause, run("SCRIPT KILL") + " || " + run("FUNCTION KILL"))


def hot_key(case: Case) -> Found | None:
    """Look for a key that is used far more often than the others (known under an LFU policy alone)."""
    known = sorted((key for key in case.keys if key.frequency is not None), key=lambda key: key.frequency or 0)
    if len(known) < 10 or (known[-1].frequency or 0) < 50 or (known[len(known) // 2].frequency or 0) > 10:
        return None
    evidence: dict[str, object] = {
        "key": known[-1].name,
        "OBJECT FREQ": known[-1].frequency,
        "median": known[len(known) // 2].frequency,
    }
    return Found(evidence, "one key takes most of the reads", "Cache(redis)  # keep it in the process for a second")


def blocking_delete(case: Case) -> Found | None:
    """Look for deletes of large keys that are not done in the background."""
    worst = _worst(case, {"DEL"})
    if worst is None or case.reading.config.get("lazyfree-lazy-user-del") == "yes":
        return None
    evidence: dict[str, object] = {
        "SLOWLOG ms": round(worst.cost * 1000, 1),
        "words": shape(worst.words),
        "lazyfree-lazy-user-del": case.reading.config.get("lazyfree-lazy-user-del", "unknown"),
    }
    remedy = "UNLINK KEY  # or for all: " + setting("lazyfree-lazy-user-del", "yes")
    return Found(evidence, "DEL frees a large key while all others wait", remedy)


def fsync_always(case: Case) -> Found | None:
    """Look whether each write waits for the disk."""
    if case.reading.config.get("appendfsync") != "always" or not case.reading.aof_enabled:
        return None
    took = case.step("write").seconds
    evidence: dict[str, object] = {"appendfsync": "always", "SET ms": round(took * 1000, 2)}
    late = "aof-fsync-always" in case.reading.latency or took > 0.05
    if late:
        evidence["LATENCY aof-fsync-always ms"] = case.reading.latency.get("aof-fsync-always", 0.0) * 1000
    cause = "each write waits for the disk; everysec loses at most a second and costs a hundredth"
    return Found(evidence, cause, setting("appendfsync", "everysec"), Severity.WARNING if late else Severity.INFO)


def fsync_stall(case: Case) -> Found | None:
    """Look whether the disk did not keep up with the log of writes."""
    times = int(case.reading.number("aof_delayed_fsync"))
    if not times:
        return None
    recent = case.rates.change("aof_delayed_fsync") or (times >= STALLS and case.reading.uptime < 86400)
    evidence: dict[str, object] = {
        "aof_delayed_fsync": times,
        "aof_pending_bio_fsync": int(case.reading.number("aof_pending_bio_fsync")),
    }
    remedy = setting("no-appendfsync-on-rewrite", "yes") + "  # and a faster disk: iostat -x 1"
    severity = Severity.WARNING if recent else Severity.INFO
    return Found(evidence, "the disk took over two seconds to flush; writes waited for it", remedy, severity)


def expiry_storm(case: Case) -> Found | None:
    """Look whether many keys end in the same moment."""
    times = int(case.reading.number("expired_time_cap_reached_count"))
    stale = case.reading.number("expired_stale_perc")
    if times < 5 or (stale < 10 and case.reading.latency.get("expire-cycle", 0) < SLOW):
        return None
    evidence: dict[str, object] = {
        "expired_time_cap_reached_count": times,
        "expired_stale_perc": stale,
        "LATENCY expire-cycle ms": case.reading.latency.get("expire-cycle", 0.0) * 1000,
    }
    cause = "many keys have the same end; removing them takes all the time that it may"
    return Found(evidence, cause, "SET KEY VALUE EX $((3600 + RANDOM % 600))  # spread the ends")


def thrash(case: Case) -> Found | None:
    """Look whether a cache throws away what is asked for next."""
    reading = case.reading
    lookups = reading.hits + reading.misses
    if not reading.evicts or lookups < 1000 or reading.evicted < max(1000, 2 * reading.total_keys):
        return None
    if reading.hits > 0.3 * lookups:
        return None
    evidence: dict[str, object] = {
        "evicted_keys": reading.evicted,
        "keys": reading.total_keys,
        "hit ratio": share(reading.hits, lookups),
    }
    remedy = setting("maxmemory", str(2 * reading.maxmemory)) + "; " + setting("maxmemory-policy", "allkeys-lfu")
    return Found(evidence, "the cache is too small for what is asked: most of it is thrown away unread", remedy)


def cold(case: Case) -> Found | None:
    """Look whether a cache rarely has what is asked for (between two readings)."""
    ratio, rates = case.rates.hit_ratio, case.rates
    asked = rates.rate("keyspace_hits") + rates.rate("keyspace_misses")
    if case.role != "cache" or ratio is None or ratio >= 0.5 or asked < 100 or thrash(case):
        return None
    evidence: dict[str, object] = {"hit ratio": share(ratio, 1), "lookups/s": round(asked)}
    cause = "the cache is cold, its ends are short, or many load the same key at once"
    return Found(evidence, cause, "@cache.cached(KEY, ttl=3600, stale_for=600)  # one load for all who wait")


def saturated(case: Case) -> Found | None:
    """Look whether the one thread that serves has no time left."""
    rates = case.rates
    spent = {name: _spent(case, name) for name in case.reading.info if name.startswith("cmdstat_")}
    busiest = max(spent, key=lambda name: spent[name], default="")
    used = sum(rates.rate(f"used_cpu_{kind}_main_thread") for kind in ("sys", "user"))
    used = max(used, rates.rate("used_active_time_main_thread"), spent.get(busiest, 0.0))
    if used < 0.8 or rates.seconds < 0.2:
        return None
    evidence: dict[str, object] = {
        "seconds of work in a second": round(used, 2),
        "ops/s": round(rates.rate("total_commands_processed")),
        "most time": busiest.removeprefix("cmdstat_"),
    }
    return Found(evidence, "the engine serves on one thread, and it is fully used", run("INFO commandstats"))


def _spent(case: Case, name: str) -> float:
    """Return the seconds that a command took in each second between the readings."""
    before, after = ((reading or case.reading).row(name).get("usec", 0.0) for reading in (case.before, case.reading))
    return (after - before) / 1e6 / case.rates.seconds if case.rates.seconds else 0.0


def shape(words: tuple[str, ...]) -> str:
    """Return a command with its keys cut to their prefixes: a name may be a session's secret."""
    return " ".join([words[0], *(word.partition(":")[0] + ":*" if ":" in word else word[:20] for word in words[1:4])])


def _worst(case: Case, names: Container[str], least: float = SLOW) -> Logged | None:
    now = case.reading.server_time or case.reading.taken_at
    found = [
        entry
        for entry in case.reading.slow
        if entry.command in names and entry.cost >= least and now - entry.time < RECENT and _is_whole(entry.words)
    ]
    return max(found, key=lambda entry: entry.cost, default=None)


def _is_whole(words: tuple[str, ...]) -> bool:
    """Say whether a range reads much: a short one that was slow met another's work."""
    if words[0].upper() not in {"LRANGE", "ZRANGE"} or len(words) < 4:
        return True
    return not words[3].isdecimal() or int(words[3]) >= LONG


CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
TABLE = (
    Check("P40", "slow-commands", WARNING, Proof.PROOF, "Commands read everything at once", slow_commands),
    Check("-", "blind", Severity.INFO, Proof.STATE, "Slow commands are not written down", blind),
    Check("P41", "hot-key", Severity.INFO, Proof.HINT, "One key is hot", hot_key),
    Check("P42", "busy", CRITICAL, Proof.PROOF, "A script does not end", busy),
    Check("-", "long-transaction", WARNING, Proof.TREND, "Transactions are too large", long_transaction),
    Check("P43", "slow-script", WARNING, Proof.PROOF, "A script takes long", slow_script),
    Check("P44", "blocking-delete", WARNING, Proof.PROOF, "Deleting takes long", blocking_delete),
    Check("P45", "fsync-always", WARNING, Proof.STATE, "Each write waits for the disk", fsync_always),
    Check("P46", "fsync-stall", WARNING, Proof.TREND, "The disk is too slow for the log", fsync_stall),
    Check("P47", "expiry-storm", WARNING, Proof.TREND, "Many keys end at once", expiry_storm),
    Check("P48", "thrash", WARNING, Proof.TREND, "The cache is too small", thrash),
    Check("P49", "cold-cache", WARNING, Proof.TREND, "The cache misses", cold),
    Check("P50", "saturated", WARNING, Proof.TREND, "The engine's thread is fully used", saturated),
)
