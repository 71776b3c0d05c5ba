"""Persistence and backups: what a restart would lose, saves that fail, files that cannot be read, old backups."""

from redyard.checks.case import Case, Check, Found, Proof, Severity
from redyard.checks.words import run, setting, size
from redyard.units import SIZES, format_span

UNREADABLE_LOG = ("Bad file format reading the append only file", "Unexpected end of file reading the append only file")
UNREADABLE_DUMP = (
    "Wrong signature trying to load DB from file",
    "Can't handle RDB format version",
    "Fatal error loading the DB",
    "Internal error in RDB reading",
)
FORK_FAILED = "Can't save in background: fork"

LAGGING, RECENT = 30.0, 3600.0
"""Seconds that backups may be behind, and for which a gap in them is told."""

LONG_LOG = 64 * SIZES["mb"]
"""Bytes of a log from which it matters that it is never written anew."""

UNVERIFIED = 7 * 86400.0
"""Seconds after which a backup is to be proved again."""


def misconf(case: Case) -> Found | None:
    """Look whether writes stopped because a save failed."""
    fault = case.fault("ping", "write")
    reading = case.reading
    if fault != "MISCONF" and (reading.rdb_ok and reading.aof_ok):
        return None
    if _forked(case):
        return None
    evidence = {
        "SET": case.step("write").said[:60] or "ok",
        "rdb_last_bgsave_status": reading.info.get("rdb_last_bgsave_status"),
        "aof_last_write_status": reading.info.get("aof_last_write_status"),
        "dir": reading.config.get("dir", "unknown"),
    }
    cause = "it cannot write its files: the directory is gone, full, or not its own" + _errno(case)
    place = reading.config.get("dir") or "/data"
    remedy = f"df -h {place}; ls -ld {place}; then: " + run("BGSAVE")
    return Found(evidence, cause, remedy, Severity.CRITICAL if fault == "MISCONF" else Severity.WARNING)


def fork(case: Case) -> Found | None:
    """Look whether the copy of the process that saves cannot be made."""
    if not _forked(case):
        return None
    evidence = {
        "rdb_last_bgsave_status": "err",
        "rdb_last_bgsave_time_sec": case.reading.info.get("rdb_last_bgsave_time_sec"),
    }
    return Found(evidence, "the system refuses the copy of the process that saves", "sysctl -w vm.overcommit_memory=1")


def forgetful(case: Case) -> Found | None:
    """Look whether a restart would lose what must not be lost."""
    reading = case.reading
    if reading.aof_enabled or reading.config.get("save", "unknown") != "" or case.facts.role == "cache":
        return None
    if reading.role == "slave" or not (case.durable or case.facts.role in {"store", "queue"}):
        return None
    evidence = {"save": "", "appendonly": "no", "durable": ", ".join(case.durable) or case.facts.role}
    cause = (
        "nothing is written to disk: a restart or a deployment empties it (rdb_last_save_time is the start, no proof)"
    )
    return Found(evidence, cause, setting("appendonly", "yes") + " && " + run("CONFIG REWRITE"))


def seldom(case: Case) -> Found | None:
    """Look whether a crash would lose more than a second of what must not be lost."""
    reading = case.reading
    if reading.role == "slave" or not (case.durable or case.facts.role in {"store", "queue"}):
        return None
    evidence: dict[str, object] = {"durable": ", ".join(case.durable) or case.facts.role}
    if reading.aof_enabled and reading.config.get("appendfsync") == "no":
        cause = "the system writes the log when it likes: a crash of the machine loses some 30 s"
        return Found({**evidence, "appendfsync": "no"}, cause, setting("appendfsync", "everysec"), Severity.WARNING)
    if not reading.aof_enabled and reading.config.get("save"):
        cause = "a crash loses what came since the last save"
        evidence |= {"appendonly": "no", "save": reading.config["save"]}
        return Found(evidence, cause, setting("appendonly", "yes") + " && " + run("CONFIG REWRITE"))
    return None


def growing_log(case: Case) -> Found | None:
    """Look for a log of writes that is never written anew."""
    reading = case.reading
    now, base = reading.number("aof_current_size"), reading.number("aof_base_size")
    if not reading.aof_enabled or reading.config.get("auto-aof-rewrite-percentage") != "0":
        return None
    if now < LONG_LOG or now < 4 * base or reading.number("aof_rewrite_in_progress"):
        return None
    evidence = {"aof_current_size": size(now), "aof_base_size": size(base), "auto-aof-rewrite-percentage": "0"}
    cause = "the log is never written anew: the disk fills, and a start takes longer each day"
    return Found(evidence, cause, setting("auto-aof-rewrite-percentage", "100") + " && " + run("BGREWRITEAOF"))


def loading(case: Case) -> Found | None:
    """Look whether it still reads its files."""
    reading = case.reading
    if case.fault("ping", "write") != "LOADING" and not reading.loading:
        return None
    evidence = {
        name: reading.info.get(name) for name in ("loading_loaded_perc", "loading_eta_seconds", "loading_total_bytes")
    }
    cause = "it reads its files after a start and answers soon: readiness is red, liveness green"
    return Found(evidence, cause, run("INFO persistence") + "  # wait; do not restart it")


def broken_log(case: Case) -> Found | None:
    """Look whether it did not start because its log of writes is damaged."""
    line = _line(case, UNREADABLE_LOG)
    if not line:
        return None
    remedy = "cp -a appendonlydir appendonlydir.copy && redis-check-aof --fix appendonlydir/*.manifest"
    return Found({"log": line}, "the log of writes is damaged; the engine refuses to start on it", remedy)


def foreign_dump(case: Case) -> Found | None:
    """Look whether the file is another engine's, or a newer one's."""
    line = _line(case, UNREADABLE_DUMP)
    if not line:
        return None
    remedy = "head -c 9 dump.rdb  # VALKEY080: Valkey 9 wrote it; REDIS0011: Redis 7. Start the engine that wrote it"
    return Found({"log": line}, "the dump was written by another engine or version, or is damaged", remedy)


def backups(case: Case) -> Found | None:
    """Look whether the last backup is old, not proved, or too big for where it is kept."""
    facts = case.facts
    if facts.backup_every is None:
        return None
    every = facts.backup_every
    if facts.backup_at is None:
        return Found({"backups": 0, "every": format_span(every)}, "there is no backup", "redyard backups capture")
    age = case.now - facts.backup_at
    evidence: dict[str, object] = {"age": format_span(age), "every": format_span(every)}
    if age > 2 * every:
        return Found(evidence, "the last backup is older than two of its periods", "redyard backups capture")
    if facts.backup_verified_at is None or case.now - facts.backup_verified_at > UNVERIFIED:
        return Found(evidence, "no backup was restored for a proof lately", "redyard backups verify")
    if facts.backup_size and facts.volume_size and facts.backup_size > facts.volume_size / 2:
        evidence |= {"backup": size(facts.backup_size), "volume": size(facts.volume_size)}
        return Found(evidence, "the platform backs up at most half of the volume", "redyard backups export")
    return None


def behind(case: Case) -> Found | None:
    """Look whether backups do not get what is written, or lost some moments."""
    facts = case.facts
    if facts.backup_trouble:
        remedy = "redyard backups list  # and mend what the trouble says"
        return Found({"trouble": facts.backup_trouble}, "the writes do not get into the backups", remedy)
    if facts.backup_lag is not None and facts.backup_lag > LAGGING:
        cause = "the backups are behind: the disk or the machine is too slow for the writes"
        return Found({"lag": format_span(facts.backup_lag)}, cause, "redyard status")
    if facts.backup_gap_at is not None and case.now - facts.backup_gap_at < RECENT:
        cause = "the stream could not go on after a restart or a long cut: the moments between cannot be restored"
        ago = {"gap": f"{format_span(case.now - facts.backup_gap_at)} ago"}
        return Found(ago, cause, "redyard backups list  # names them")
    return None


def one_disk(case: Case) -> Found | None:
    """Look whether the backups lie on the disk that they are for."""
    if case.facts.backup_off_machine is not False:
        return None
    cause = "the backups are on the disk of the data: what takes the one takes the other"
    remedy = "export REDYARD_BACKUPS=s3://BUCKET/PATH  # or a directory on another disk; then: redyard down; redyard up"
    return Found({"backups": "on the same disk"}, cause, remedy)


def emptied(case: Case) -> Found | None:
    """Look whether a restart lost everything since the reading before."""
    before, now = case.before, case.reading
    if (
        before is None
        or before.run_id == now.run_id
        or before.total_keys < 10
        or now.total_keys > 0.1 * before.total_keys
    ):
        return None
    if now.aof_enabled and now.role == "slave":
        return None
    evidence = {"keys before": before.total_keys, "keys now": now.total_keys, "uptime_in_seconds": now.uptime}
    cause = "it was restarted and came back empty: nothing was on disk, or the disk was a container's own"
    return Found(evidence, cause, setting("appendonly", "yes") + "  # on a volume that outlives the container")


def _forked(case: Case) -> bool:
    """Say whether the fork failed: the log says so, or a save failed before it took any time."""
    info = case.reading.info
    never = info.get("rdb_last_bgsave_time_sec") == "-1" and info.get("rdb_last_bgsave_status") == "err"
    return never or (FORK_FAILED in case.facts.log and not case.reading.rdb_ok)


def _errno(case: Case) -> str:
    line = _line(case, ("Failed opening", "Error moving temp", "Write error saving DB"))
    return f" ({line})" if line else ""


def _line(case: Case, words: tuple[str, ...]) -> str:
    lines = reversed(case.facts.log.splitlines())
    return next((line.strip()[:160] for line in lines if any(word in line for word in words)), "")


CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
TABLE = (
    Check("P34", "fork", CRITICAL, Proof.PROOF, "Saves cannot be started", fork),
    Check("P52", "misconf", CRITICAL, Proof.PROOF, "Saves fail", misconf),
    Check("P53", "forgetful", WARNING, Proof.STATE, "A restart loses everything", forgetful),
    Check("P53", "seldom-saved", Severity.INFO, Proof.STATE, "A crash loses the last writes", seldom),
    Check("-", "growing-log", WARNING, Proof.STATE, "The log of writes only grows", growing_log),
    Check("P54", "loading", CRITICAL, Proof.PROOF, "It loads its files", loading),
    Check("P55", "broken-log", CRITICAL, Proof.PROOF, "The log of writes is damaged", broken_log),
    Check("P56", "foreign-dump", CRITICAL, Proof.PROOF, "The dump cannot be read", foreign_dump),
    Check("P57", "backups", WARNING, Proof.STATE, "The backup is no backup", backups),
    Check("-", "backups-behind", WARNING, Proof.STATE, "The backups lack writes", behind),
    Check("-", "one-disk", WARNING, Proof.STATE, "The backups are on the same disk", one_disk),
    Check("P71", "emptied", CRITICAL, Proof.TREND, "A restart lost the data", emptied),
)
