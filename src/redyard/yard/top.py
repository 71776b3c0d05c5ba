"""What an instance does at this moment: its figures between two looks, its clients by name, its slow commands."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from redis.exceptions import RedisError

from redyard.client import raw
from redyard.metrics.sources import Info, number, split
from redyard.yard.watch import Look, Watched
from redyard.yard.watched import Watched as Supervised

COMMANDS, SLOW = 12, 8
"""Rows of the busiest commands, and of the slow ones."""

LONGEST = 80
"""Characters of a slow command; a value may be a secret, so only the command and its key are shown."""


async def doing(instance: Supervised, watched: Watched | None, restorable: str | None = None) -> dict[str, object]:
    """Return what an instance does; live figures are None while it does not answer."""
    looks = [item for item in watched.looks if item.info is not None] if watched else []
    info = looks[-1].info if looks and watched and looks[-1] is watched.looks[-1] else None
    return {
        "name": instance.name,
        "role": instance.spec.role,
        "plan": instance.spec.plan,
        "phase": instance.phase.value,
        "memory_limit": instance.spec.memory,
        "memory_used": None if info is None else number(info.get("used_memory")),
        "keys": None if info is None else sum(_part(info, "db", "keys").values()),
        **(_rates(looks[0], looks[-1]) if info else dict.fromkeys(RATES)),
        "commands": _commands(looks[0], looks[-1]) if info else [],
        "clients": await _clients(instance) if info else {},
        "slow": await _slow(instance) if info else [],
        "restorable": restorable,
    }


RATES = ("operations", "hit_rate", "busy", "input", "output", "evicted", "expired")


def _rates(first: Look, last: Look) -> dict[str, float | None]:
    """Return growth a second between two looks; all None from a single one."""
    seconds = last.at - first.at
    if seconds <= 0:
        return dict.fromkeys(RATES)

    def rate(*names: str) -> float:
        return sum(_grown(first.info, last.info, name) for name in names) / seconds

    hits, misses = rate("keyspace_hits"), rate("keyspace_misses")
    return {
        "operations": rate("total_commands_processed"),
        "hit_rate": hits / (hits + misses) if hits + misses else None,
        "busy": rate("used_cpu_user_main_thread", "used_cpu_sys_main_thread"),
        "input": rate("total_net_input_bytes"),
        "output": rate("total_net_output_bytes"),
        "evicted": rate("evicted_keys"),
        "expired": rate("expired_keys"),
    }


def _grown(first: Info | None, last: Info | None, name: str) -> float:
    old, new = number((first or {}).get(name)) or 0.0, number((last or {}).get(name)) or 0.0
    return max(0.0, new - old)


def _commands(first: Look, last: Look) -> list[dict[str, object]]:
    """Return the busiest commands: calls a second and mean time between the looks, p99 since the server's start."""
    old, new = first.info or {}, last.info or {}
    seconds = max(last.at - first.at, 1e-9)
    before, calls = _part(old, "cmdstat_", "calls"), _part(new, "cmdstat_", "calls")
    spent, took = _part(old, "cmdstat_", "usec"), _part(new, "cmdstat_", "usec")
    tail = _part(new, "latency_percentiles_usec_", "p99")
    rows: list[dict[str, object]] = []
    for name, count in calls.items():
        grown = count - before.get(name, 0.0)
        if grown > 0:
            mean = (took.get(name, 0.0) - spent.get(name, 0.0)) / grown
            rows.append({"command": name, "calls": grown / seconds, "mean_us": mean, "p99_us": tail.get(name)})
    return sorted(rows, key=lambda row: -float(str(row["calls"])))[:COMMANDS]


def _part(info: Info, prefix: str, part: str) -> dict[str, float]:
    found = {name[len(prefix) :]: number(split(row).get(part)) for name, row in info.items() if name.startswith(prefix)}
    return {name: value for name, value in found.items() if value is not None}


async def _clients(instance: Supervised) -> dict[str, int]:
    """Return how many connections each client's name has; the yard's own and replicas are left out."""
    try:
        text = await raw(instance.admin.redis, "CLIENT", "LIST")
    except (RedisError, OSError):
        return {}
    rows = [
        dict(word.partition("=")[::2] for word in line.split(" "))
        for line in text.decode("utf-8", "replace").splitlines()
    ]
    apps = (row for row in rows if row.get("name") != "redyard:yard" and "S" not in row.get("flags", ""))
    names = Counter(map(_client, apps))
    return dict(names.most_common())


def _client(row: Mapping[str, str]) -> str:
    return row.get("name") or row.get("lib-name") or "(no name)"


async def _slow(instance: Supervised) -> list[dict[str, object]]:
    try:
        entries = await raw(instance.admin.redis, "SLOWLOG", "GET", str(SLOW))
    except (RedisError, OSError):
        return []
    return [
        {"at": entry[1], "seconds": entry[2] / 1e6, "command": _words(entry[3]), "client": _text(entry, 5)}
        for entry in entries
    ]


def _words(words: list[bytes]) -> str:
    """Return a command and its first word; the rest only as a count."""
    shown = b" ".join(words[:2]).decode("utf-8", "replace")[:LONGEST]
    return shown + (f" ... {len(words) - 2} more" if len(words) > 2 else "")


def _text(entry: list[Any], place: int) -> str:
    return entry[place].decode("utf-8", "replace") if len(entry) > place else ""
