"""Replication and cluster: who may be written to, who follows, and how far behind."""

from redyard.checks.case import Case, Check, Found, Proof, Severity
from redyard.checks.words import run, setting, size

LATE, BEHIND = 3.0, 1024 * 1024
"""Seconds since a replica's last word, and bytes that it has not got, from which it lags, both."""

SLOTS = 16384
"""Slots of a cluster."""

LED, LED_SHARE = 5, 0.02
"""Commands at a wrong node, and as a share of all, from which a client does not learn: others are led once a move."""

COPIES, REFUSED = 5, 3
"""Whole copies for replicas since the start, and parts that were gone by then, from which the backlog is short."""

LOST = 10.0
"""Seconds since a replica's last word from which it is as good as gone."""


def read_only(case: Case) -> Found | None:
    """Look whether apps write to a replica."""
    reading = case.reading
    refused = int(reading.row("errorstat_READONLY").get("count", 0))
    if reading.role != "slave" or not refused:
        return None
    primary = f"{reading.info.get('master_host')}:{reading.info.get('master_port')}"
    evidence = {"role": "replica", "errorstat_READONLY": refused, "primary": primary}
    cause = "this was the primary, or never was: since a failover the address leads to a replica"
    return Found(
        evidence, cause, f"REDIS_URL=redis://…@{primary}/{case.database}  # and restart what keeps old connections"
    )


def replica(case: Case) -> Found | None:
    """Say that this is a replica, where nobody seems to write."""
    if case.reading.role != "slave" or read_only(case):
        return None
    primary = f"{case.reading.info.get('master_host')}:{case.reading.info.get('master_port')}"
    evidence = {"role": "replica", "primary": primary}
    severity = Severity.CRITICAL if case.facts.role in {"store", "queue"} else Severity.INFO
    return Found(
        evidence, "reads are answered, writes refused", f"REDIS_URL=redis://…@{primary}/0  # to write", severity
    )


def link(case: Case) -> Found | None:
    """Look whether a replica has lost its primary."""
    reading = case.reading
    down = reading.role == "slave" and reading.info.get("master_link_status") == "down"
    if not down and case.fault("ping", "read", "write") != "MASTERDOWN":
        return None
    if int(reading.number("master_sync_in_progress")):
        return None
    primary = f"{reading.info.get('master_host')}:{reading.info.get('master_port')}"
    evidence = {
        "master_link_status": reading.info.get("master_link_status"),
        "primary": primary,
        "master_link_down_since_seconds": reading.info.get("master_link_down_since_seconds"),
        "GET": case.step("read").said or "ok",
    }
    remedy = f"redis-cli -h {reading.info.get('master_host')} -p {reading.info.get('master_port')} PING"
    return Found(evidence, "the replica cannot reach its primary: what it answers grows old", remedy)


def copying(case: Case) -> Found | None:
    """Say that a replica is not there yet: it copies, or is refused again and again, which look alike."""
    reading = case.reading
    if reading.role != "slave" or reading.info.get("master_link_status") != "down" or link(case):
        return None
    names = ("master_host", "master_port", "master_link_status", "master_sync_in_progress", "master_sync_total_bytes")
    evidence = {name: reading.info[name] for name in names if name in reading.info}
    cause = (
        "it copies its primary now, or the primary refuses it: the password (masterauth), or another engine's format"
    )
    return Found(evidence, cause, run("CONFIG SET masterauth PASSWORD") + "  # if its log says NOAUTH")


def copied_anew(case: Case) -> Found | None:
    """Look whether replicas must copy everything after each short cut."""
    reading = case.reading
    copies, refused = int(reading.number("sync_full")), int(reading.number("sync_partial_err"))
    if copies < COPIES or refused < REFUSED:
        return None
    evidence = {
        "sync_full": copies,
        "sync_partial_err": refused,
        "repl_backlog_size": size(reading.number("repl_backlog_size")),
    }
    cause = "what a replica missed is no longer kept: each short cut of its connection costs a copy of everything"
    return Found(evidence, cause, setting("repl-backlog-size", "64mb"))


def own_writes(case: Case) -> Found | None:
    """Look whether a replica takes writes of its own."""
    if case.reading.role != "slave" or case.reading.info.get("slave_read_only", "1") != "0":
        return None
    evidence = {"role": "replica", "replica-read-only": "no"}
    cause = "what is written here is on no other server, and is lost when the replica copies its primary again"
    return Found(evidence, cause, setting("replica-read-only", "yes"))


def no_replicas(case: Case) -> Found | None:
    """Look whether writes wait for replicas that are not there."""
    if case.step("write").fault != "NOREPLICAS":
        return None
    wanted = case.reading.config.get("min-replicas-to-write", "unknown")
    evidence = {"min-replicas-to-write": wanted, "connected_slaves": int(case.reading.number("connected_slaves"))}
    return Found(evidence, "fewer replicas follow than writes need", setting("min-replicas-to-write", "0"))


def lag(case: Case) -> Found | None:
    """Look how far the replicas are behind."""
    reading = case.reading
    head = reading.number("master_repl_offset")
    for number in range(int(reading.number("connected_slaves"))):
        row = reading.row(f"slave{number}")
        late, behind = row.get("lag", 0.0), head - row.get("offset", head)
        if "state=online" in reading.info.get(f"slave{number}", "") and (
            late >= LOST or (late >= LATE and behind >= BEHIND)
        ):
            evidence = {f"slave{number} lag s": int(late), "behind": size(behind)}
            evidence["mem_clients_slaves"] = size(reading.number("mem_clients_slaves"))
            cause = "the replica does not keep up: its disk, its processor or the network"
            return Found(evidence, cause, run("INFO replication") + "  # then look at that machine")
    return None


def cluster(case: Case) -> Found | None:
    """Look whether the cluster serves all its slots."""
    down = case.fault("read", "write", "select") == "CLUSTERDOWN"
    served = sum(node.slots for node in case.reading.nodes if "fail" not in node.flags)
    if not down and (not case.reading.nodes or served == SLOTS):
        return None
    evidence = {"GET": case.step("read").said or "ok", "slots served": served, "of": SLOTS}
    cause = "not all slots are served: nodes are missing, or the cluster was never made"
    return Found(evidence, cause, run("--cluster fix HOST:PORT") + " || " + run("CLUSTER INFO"))


def nodes(case: Case) -> Found | None:
    """Look for nodes of a cluster that the others cannot reach."""
    gone = [node.address for node in case.reading.nodes if node.flags & {"fail", "fail?", "noaddr"}]
    if not gone or cluster(case):
        return None
    evidence = {"CLUSTER NODES": ", ".join(gone), "of": len(case.reading.nodes)}
    cause = "these nodes do not answer the others: while they are gone nothing takes their place"
    return Found(evidence, cause, run("CLUSTER NODES") + "  # start them, or: CLUSTER FORGET ID at each node")


def half_moved(case: Case) -> Found | None:
    """Look for slots whose move to another node has begun and not ended."""
    moving = [slot for node in case.reading.nodes for slot in node.moving]
    if not moving:
        return None
    evidence = {"slots": ", ".join(moving[:10]), "in all": len(moving)}
    cause = "a move of slots runs, or was left: until it ends their keys answer ASK, and commands of many keys TRYAGAIN"
    return Found(evidence, cause, run("--cluster fix HOST:PORT") + "  # if none runs")


def slots(case: Case) -> Found | None:
    """Look whether an app treats a cluster as one server."""
    reading = case.reading
    counts = {name: int(reading.row(f"errorstat_{name}").get("count", 0)) for name in ("CROSSSLOT", "MOVED")}
    often = counts["MOVED"] >= LED and counts["MOVED"] >= LED_SHARE * reading.number("total_commands_processed")
    if reading.info.get("cluster_enabled") != "1" or not (counts["CROSSSLOT"] or often or case.database):
        return None
    evidence: dict[str, object] = {"cluster_enabled": 1, **counts}
    if case.database:
        evidence["SELECT"] = case.step("select").said
    cause = "keys of one command lie in several slots, or the client does not know of clusters"
    return Found(evidence, cause, "redis.cluster.RedisCluster  # and {hash tags} in keys: bull:{queue}:wait")


CRITICAL, WARNING = Severity.CRITICAL, Severity.WARNING
TABLE = (
    Check("P58", "read-only", CRITICAL, Proof.PROOF, "Apps write to a replica", read_only),
    Check("P58", "replica", Severity.INFO, Proof.PROOF, "This is a replica", replica),
    Check("P59", "link", CRITICAL, Proof.PROOF, "The replica has lost its primary", link),
    Check("P59", "copying", Severity.INFO, Proof.STATE, "The replica is not there yet", copying),
    Check("-", "own-writes", WARNING, Proof.STATE, "A replica takes writes of its own", own_writes),
    Check("-", "copied-anew", WARNING, Proof.TREND, "Replicas copy everything again and again", copied_anew),
    Check("P60", "no-replicas", CRITICAL, Proof.PROOF, "Too few replicas: writes are refused", no_replicas),
    Check("P61", "lag", WARNING, Proof.PROOF, "A replica lags", lag),
    Check("P62", "cluster", CRITICAL, Proof.PROOF, "The cluster is down", cluster),
    Check("-", "nodes", WARNING, Proof.PROOF, "A node of the cluster is gone", nodes),
    Check("-", "half-moved", Severity.INFO, Proof.PROOF, "Slots are half moved", half_moved),
    Check("P62", "slots", WARNING, Proof.PROOF, "The app does not know that this is a cluster", slots),
)
