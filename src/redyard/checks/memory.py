"""Memory: full, about to be, in danger of the kernel, wasted, or held by what nobody needs."""

from collections import Counter

from redyard.checks.case import Case, Check, Found, Proof, Severity
from redyard.checks.words import run, setting, share, size
from redyard.reading import Reading
from redyard.units import SIZES

MB = SIZES["mb"]
NEAR = 0.9
"""The share of a store's memory from which it is nearly full. A cache may be full."""

STUCK = 0.97
"""The share at which a store that has refused writes is still full: only small ones fit."""

BIG = 10 * MB
"""Bytes of a key from which one command on it holds up everybody."""

FRAGMENTED, WASTED = 1.5, 100 * MB
"""Ratio and bytes of fragmentation that are worth an act, both: the ratio alone is 6-13 on an empty server."""

SCRIPTS = 1000
"""Cached scripts from which they are made, not written."""

PACKED = 10_000
"""Elements of a collection without an index from which a look at it takes long; engines come with 128 to 512."""

FINISHED = 10_000
"""Finished jobs of a queue from which nobody cleans up."""

EXPIRING = frozenset({"cache", "session", "sessions", "sess", "ratelimit", "temp", "concurrency", "lock", "rl"})
"""Prefixes of keys that are to end by themselves."""


def full(case: Case) -> Found | None:
    """Look whether writes are refused."""
    step, reading = case.step("write"), case.reading
    refused = int(reading.row("errorstat_OOM").get("count", 0))
    still = refused and not reading.evicts and reading.used_memory > STUCK * reading.maxmemory
    if step.fault != "OOM" and not still:
        return None
    largest = _largest(case)
    evidence = {
        "SET": step.said[:60],
        "used_memory": size(reading.used_memory),
        "maxmemory": size(reading.maxmemory),
        "maxmemory_policy": reading.policy,
        "refused writes": refused,
    }
    cause = "memory is full, and the policy keeps what there is" + (f"; most is in {largest}" if largest else "")
    if buffers := _buffers(reading):
        evidence["buffers"] = size(buffers)
        cause = "not keys fill it, but the buffers of clients, replicas and the log"
        remedy = run("CLIENT LIST") + "  # who has large omem or qbuf; then: " + run("CLIENT KILL ID N")
        return Found(evidence, cause, remedy)
    note = "  # then `redyard doctor --memory`; DEL and GET still work"
    if _evicts_nothing(case) or (case.facts.role == "cache" and not reading.evicts):
        cause = f"a cache is to make room for what is new, and {reading.policy} keeps all"
        if reading.evicts:
            cause = f"{reading.policy} removes keys with an end alone, and hardly any has one"
        return Found(evidence, cause, setting("maxmemory-policy", "allkeys-lru") + "  # of a cache; or EXPIRE the keys")
    return Found(evidence, cause, setting("maxmemory", str(2 * reading.maxmemory)) + note)


def _buffers(reading: Reading) -> int:
    """Return the bytes of all buffers where they, and not the keys, take most of the memory; else 0."""
    names = ("mem_clients_normal", "mem_clients_slaves", "mem_aof_buffer", "mem_total_replication_buffers")
    held = int(sum(reading.number(name) for name in names))
    return held if held > 0.4 * reading.used_memory and reading.number("used_memory_dataset") < held else 0


def _evicts_nothing(case: Case) -> bool:
    return (case.reading.policy or "").startswith("volatile") and _ending(case.reading) < 0.05 * case.reading.total_keys


def _ending(reading: Reading) -> int:
    return sum(database.expires for database in reading.databases.values())


def nearly_full(case: Case) -> Found | None:
    """Look whether a store has little room left."""
    reading = case.reading
    kept = not reading.evicts or _evicts_nothing(case)
    if not reading.maxmemory or not kept or full(case) or reading.used_memory < NEAR * reading.maxmemory:
        return None
    evidence: dict[str, object] = {"used_memory": size(reading.used_memory), "maxmemory": size(reading.maxmemory)}
    if reading.evicts:
        evidence |= {"maxmemory_policy": reading.policy, "keys": reading.total_keys, "with an end": _ending(reading)}
        cause = f"{reading.policy} removes keys with an end alone, and hardly any has one: writes will be refused"
        return Found(evidence, cause, setting("maxmemory-policy", "allkeys-lru") + "  # of a cache; or EXPIRE the keys")
    cause = f"{share(reading.used_memory, reading.maxmemory)} of the memory is used; writes will be refused"
    return Found(evidence, cause, 'redyard doctor "$REDIS_URL" --memory')


def evicts(case: Case) -> Found | None:
    """Look whether jobs and sessions may be thrown away."""
    reading, kept = case.reading, case.durable or ([case.facts.role] if case.facts.role in {"store", "queue"} else [])
    if not reading.evicts or not kept:
        return None
    if (reading.policy or "").startswith("volatile") and not reading.evicted and kept == ["bull"]:
        severity = Severity.WARNING
    else:
        severity = Severity.CRITICAL
    lost = sum(queue.lost for queue in case.queues)
    evidence = {
        "maxmemory_policy": reading.policy,
        "durable": ", ".join(kept),
        "evicted_keys": reading.evicted,
        "jobs without data": lost,
    }
    cause = "when memory is full the server throws away jobs, job locks or sessions without a word"
    return Found(
        evidence, cause, setting("maxmemory-policy", "noeviction") + "  # the cache goes to another server", severity
    )


def unlimited(case: Case) -> Found | None:
    """Look whether nothing but the kernel limits the memory."""
    reading, limit = case.reading, case.facts.memory_limit
    if not case.seen or reading.maxmemory or not reading.used_memory:
        return None
    total = int(reading.number("total_system_memory"))
    evidence = {"maxmemory": 0, "used_memory": size(reading.used_memory)}
    evidence |= {"container limit": size(limit)} if limit else {"total_system_memory": size(total)}
    danger = bool(limit) or (total > 0 and reading.used_memory > 0.5 * total)
    cause = "it grows until the kernel kills it, and with it what was not saved"
    room = int(0.6 * (limit or total))
    return Found(evidence, cause, setting("maxmemory", str(room)), Severity.WARNING if danger else Severity.INFO)


def promised(case: Case) -> Found | None:
    """Look whether more memory is allowed than there is."""
    reading = case.reading
    there = case.facts.memory_limit or int(reading.number("total_system_memory"))
    if not there or reading.maxmemory <= there:
        return None
    evidence = {"maxmemory": size(reading.maxmemory), "there is": size(there)}
    cause = "the limit is never reached: the kernel kills the server first, and with it what was not saved"
    return Found(evidence, cause, setting("maxmemory", str(int(0.6 * there))))


def headroom(case: Case) -> Found | None:
    """Look whether a save may need more memory than there is."""
    reading = case.reading
    copied = int(max(reading.number("rdb_last_cow_size"), reading.number("aof_last_cow_size")))
    limit = case.facts.memory_limit or 0
    if not limit or reading.used_memory + copied <= limit or not copied:
        return None
    evidence = {
        "used_memory": size(reading.used_memory),
        "rdb_last_cow_size": size(copied),
        "container limit": size(limit),
    }
    cause = "while it saves, what is written meanwhile is copied: both together are over the limit"
    return Found(evidence, cause, setting("maxmemory", str(int(limit / 2.1))))


def kernel(case: Case) -> Found | None:
    """Look at the two settings of the system that every start-up log warns of."""
    evidence = {}
    if case.facts.overcommit == "0":
        evidence["vm.overcommit_memory"] = "0"
    if case.facts.huge_pages == "always":
        evidence["transparent_hugepage"] = "always"
    if not evidence:
        return None
    remedy = "sysctl -w vm.overcommit_memory=1 && echo madvise > /sys/kernel/mm/transparent_hugepage/enabled"
    return Found({**evidence}, "a save may fail where half the memory is used, and copies more than it must", remedy)


def swapped(case: Case) -> Found | None:
    """Look whether a part of the process is on the disk."""
    if case.facts.swapped < 10 * MB:
        return None
    evidence = {"VmSwap": size(case.facts.swapped), "used_memory_rss": size(case.reading.rss)}
    return Found(evidence, "commands wait for the disk: the machine has too little memory", "sysctl -w vm.swappiness=1")


def big_keys(case: Case) -> Found | None:
    """Look for a key that is too big to be touched at once."""
    worst = max(case.keys, key=lambda key: key.size, default=None)
    if worst is None or worst.size < BIG:
        return None
    evidence = {"key": worst.name, "type": worst.type, "MEMORY USAGE": size(worst.size), "sampled keys": len(case.keys)}
    cause = "reading or deleting it at once holds up all clients"
    return Found(
        evidence, cause, run(f"UNLINK '{worst.name}'") + "  # after splitting it; read it by HSCAN, SSCAN, LRANGE"
    )


def endless(case: Case) -> Found | None:
    """Look for caches, sessions and limits without an end."""
    if (case.reading.policy or "").startswith("allkeys"):
        return None
    all_, kept = Counter[str](), Counter[str]()
    for key in case.keys:
        if key.prefix in EXPIRING:
            all_[key.prefix] += 1
            kept[key.prefix] += key.ttl < 0
    worst = max(kept, key=lambda prefix: kept[prefix], default="")
    if not worst or kept[worst] < 10 or kept[worst] < 0.05 * all_[worst]:
        return None
    evidence = {"prefix": f"{worst}:", "without TTL": kept[worst], "sampled": all_[worst]}
    expire = "xargs -I KEY redis-cli EXPIRE KEY 86400 NX"
    remedy = run(f"--scan --pattern '{worst}:*'") + f" | {expire}"
    return Found(evidence, "these keys are never removed: the memory fills", remedy)


def fragmented(case: Case) -> Found | None:
    """Look for memory that is free and not given back."""
    reading = case.reading
    ratio, wasted = reading.number("mem_fragmentation_ratio"), reading.number("mem_fragmentation_bytes")
    if "jemalloc" not in reading.info.get("mem_allocator", "") or ratio < FRAGMENTED or wasted < WASTED:
        return None
    evidence = {"mem_fragmentation_ratio": ratio, "mem_fragmentation_bytes": size(wasted)}
    cause = "deleted keys left holes that the allocator keeps; new keys will fill them"
    return Found(evidence, cause, run("MEMORY PURGE") + " && " + setting("activedefrag", "yes"))


def scripts(case: Case) -> Found | None:
    """Look for scripts that a program makes anew each time."""
    cached, dropped = case.reading.number("number_of_cached_scripts"), case.reading.number("evicted_scripts")
    if cached < SCRIPTS and dropped < SCRIPTS:
        return None
    evidence = {"number_of_cached_scripts": int(cached), "evicted_scripts": int(dropped)}
    cause = "values are written into the scripts' text; each text is kept as a script of its own"
    return Found(evidence, cause, "EVAL TEXT 1 KEY VALUE  # values as ARGV; then: " + run("SCRIPT FLUSH"))


def packed(case: Case) -> Found | None:
    """Look whether small collections may grow large before they get an index."""
    found = {
        name: value
        for name, value in case.reading.config.items()
        if name.endswith(("listpack-entries", "ziplist-entries")) and value.isdecimal() and int(value) > PACKED
    }
    if not found:
        return None
    cause = "a hash or set of so many is kept as one list without an index: each look at it goes through all of it"
    name = min(found, key=lambda one: ("ziplist" in one, one))
    return Found({**found}, cause, setting(name, "128"))


def finished_jobs(case: Case) -> Found | None:
    """Look for queues that keep all finished jobs."""
    worst = max(case.queues, key=lambda queue: queue.finished, default=None)
    if worst is None or worst.finished < FINISHED:
        return None
    evidence = {"queue": worst.name, "completed + failed": worst.finished, "waiting": worst.waiting}
    cause = "finished jobs are never removed"
    return Found(evidence, cause, f'Queue(redis, "{worst.name}", remove_on_complete=100, remove_on_fail=1000)')


def _largest(case: Case) -> str:
    sizes = Counter[str]()
    for key in case.keys:
        sizes[key.prefix] += key.size
    (prefix, bytes_), *_ = sizes.most_common(1) or [("", 0)]
    return f"{prefix}:* ({share(bytes_, sum(sizes.values()))} of the sample)" if prefix else ""


CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
TABLE = (
    Check("P29", "full", CRITICAL, Proof.PROOF, "Memory is full: writes are refused", full),
    Check("P29", "nearly-full", WARNING, Proof.STATE, "Memory is nearly full", nearly_full),
    Check("P30", "evicts", CRITICAL, Proof.STATE, "Jobs or sessions may be evicted", evicts),
    Check("P31", "unlimited", WARNING, Proof.STATE, "Memory has no limit", unlimited),
    Check("-", "promised", WARNING, Proof.STATE, "The limit is more than the machine has", promised),
    Check("P32", "headroom", WARNING, Proof.STATE, "A save may need too much memory", headroom),
    Check("P33", "kernel", Severity.INFO, Proof.STATE, "The system is not set up for saves", kernel),
    Check("P51", "swapped", WARNING, Proof.PROOF, "A part is swapped out", swapped),
    Check("P35", "big-key", WARNING, Proof.PROOF, "A key is very big", big_keys),
    Check("P36", "endless", WARNING, Proof.STATE, "Keys that are to end have no end", endless),
    Check("P37", "fragmented", WARNING, Proof.STATE, "Memory is fragmented", fragmented),
    Check("P38", "scripts", WARNING, Proof.STATE, "Scripts pile up", scripts),
    Check("-", "packed", WARNING, Proof.STATE, "Collections have no index", packed),
    Check("P39", "finished-jobs", WARNING, Proof.STATE, "Finished jobs are kept for ever", finished_jobs),
)
