"""Streams and channels: entries that nobody reads or acknowledges, slow readers, events that are not sent."""

from redyard.checks.case import Case, Check, Found, Group, Proof, Severity
from redyard.checks.words import kill, most, run, setting, size, who

YOUNG, FORGOTTEN = 60.0, 3600.0
"""Seconds since its delivery from which an entry is told, and from which no consumer is at work on it."""

MANY, POISON = 1000, 10
"""Entries of which none was ever acknowledged, and deliveries of one, from which it is no matter of time."""

UNREAD, MUCH = 1024 * 1024, 8 * 1024 * 1024
"""Bytes that wait for a subscriber, from which it is told, and from which it is no burst."""

READERS = ("xreadgroup", "xautoclaim", "xclaim", "xack")
"""What a group's consumer did last."""

LETTERS = {"expired": "x", "evicted": "e", "del": "g", "expire": "g", "set": "$", "new": "n"}
"""The setting's letter for events that are listened to by name."""


def unacknowledged(case: Case) -> Found | None:
    """Look for entries that were delivered and never acknowledged."""
    found = [group for group in case.groups if group.pending and (_is_stuck(group) or _is_left(case, group))]
    if not found:
        return None
    group = max(found, key=lambda one: (_is_stuck(one), one.pending))
    evidence = {"stream": group.stream, "group": group.name, "pending": group.pending, "consumer": group.consumer}
    evidence |= {"delivered s ago": round(group.idle), "deliveries": group.deliveries}
    claim = run(f"XAUTOCLAIM {group.stream} {group.name} CONSUMER 60000 0 COUNT 100")
    cause = "their consumer died, or does not XACK what it has done: nobody gets them again by itself"
    if group.deliveries >= POISON:
        cause = f"the oldest was delivered {group.deliveries} times and never acknowledged: its consumer fails at it"
        claim = run(f"XPENDING {group.stream} {group.name} - + 10") + "  # then XACK it, and keep it elsewhere"
    return Found(evidence, cause, claim, Severity.WARNING if _is_stuck(group) else Severity.INFO)


def _is_stuck(group: Group) -> bool:
    """Say whether no consumer can be at work on the group's entries."""
    never = group.acked == 0 and group.pending >= MANY
    return group.idle >= FORGOTTEN or group.deliveries >= POISON or never


def _is_left(case: Case, group: Group) -> bool:
    return group.idle >= YOUNG or not _reads(case)


def _reads(case: Case) -> bool:
    """Say whether a client did last what consumers do."""
    return any(client.get("cmd", "").partition("|")[0] in READERS for client in case.reading.clients)


def unread(case: Case) -> Found | None:
    """Look for entries that wait for a group without consumers."""
    found = [group for group in case.groups if group.unread and not group.consumers]
    if not found or _reads(case):
        return None
    group = max(found, key=lambda one: one.unread)
    evidence = {"stream": group.stream, "group": group.name, "lag": group.unread, "consumers": 0}
    cause = "the group was made and nobody reads as one of it: consumers are not started, or use another group"
    return Found(evidence, cause, run(f"XINFO GROUPS {group.stream}") + "  # then start the consumers")


def silent_events(case: Case) -> Found | None:
    """Look for clients that listen to events of keys which the server does not send."""
    sent, listened = case.reading.config.get("notify-keyspace-events"), case.reading.event_channels
    missing = next((channel for channel in listened if sent is not None and _is_missing(channel, sent)), None)
    if missing is None:
        return None
    kind = "E" if missing.startswith("__keyevent") else "K"
    letter = LETTERS.get(missing.rpartition(":")[2], "A") if kind == "E" else "A"
    evidence = {
        "PUBSUB CHANNELS": missing.rpartition(":")[0] if kind == "K" else missing,
        "notify-keyspace-events": sent,
    }
    cause = "a client waits for events of keys, and the server does not send them: it waits for ever"
    return Found(evidence, cause, setting("notify-keyspace-events", kind + letter) + " && " + run("CONFIG REWRITE"))


def _is_missing(channel: str, sent: str) -> bool:
    if channel.startswith("__keyspace@"):
        return "K" not in sent
    letter = LETTERS.get(channel.rpartition(":")[2], "")
    named = letter in sent or (letter != "n" and "A" in sent)
    return channel.startswith("__keyevent@") and ("E" not in sent or not named)


def subscriber(case: Case) -> Found | None:
    """Look for a subscriber that does not read what is published."""
    subscribers = [client for client in case.reading.clients if "P" in client.get("flags", "")]
    worst, waiting = most(subscribers, "omem")
    if waiting < UNREAD:
        return None
    limits = case.reading.config.get("client-output-buffer-limit", "")
    evidence = {"client": who(worst), "omem": size(waiting), "idle": worst.get("idle", ""), "limits": limits}
    cause = "what is published waits for it in the server's memory; at the limit it is cut off, and misses the rest"
    remedy = kill(worst) + "  # and mend the reader: it is stopped, or too slow"
    return Found(evidence, cause, remedy, Severity.WARNING if waiting >= MUCH else Severity.INFO)


WARNING = Severity.WARNING
TABLE = (
    Check("-", "unacknowledged", WARNING, Proof.STATE, "Entries of a stream are not acknowledged", unacknowledged),
    Check("-", "unread", WARNING, Proof.STATE, "Entries of a stream wait and nobody reads", unread),
    Check("-", "silent-events", WARNING, Proof.STATE, "Events of keys are waited for and not sent", silent_events),
    Check("-", "subscriber", WARNING, Proof.PROOF, "A subscriber does not read", subscriber),
)
