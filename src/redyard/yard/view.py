"""What commands show of an instance: pure functions from what is wanted, seen and read to plain values."""

from collections.abc import Sequence
from typing import Any
from urllib.parse import unquote, urlsplit

from msgspec.structs import asdict

from redyard.engine import directives
from redyard.reading import Reading
from redyard.units import format_instant
from redyard.yard.addresses import exposure
from redyard.yard.answers import Info, Line
from redyard.yard.machine import free_memory
from redyard.yard.plans import machine_memory
from redyard.yard.spec import Spec
from redyard.yard.supervisor import Instance
from redyard.yard.watched import Watched


def view(instance: Watched, reading: Reading | None) -> Line:
    """Return the line of `redyard status`; live numbers are None while the engine does not answer."""
    spec, status = instance.spec, instance.status
    return Line(
        name=spec.name,
        addon=spec.addon,
        role=spec.role,
        attached=spec.attached,
        plan=spec.plan or None,
        phase=instance.phase.value,
        reason=status.reason,
        doing=instance.doing,
        wanted=spec.wanted,
        port=spec.port,
        pid=status.pid,
        memory_used=reading.used_memory if reading else None,
        memory_limit=spec.memory or (reading.maxmemory if reading else 0) or None,
        clients=max(0, reading.connected_clients - 1) if reading else None,  # the yard's own is not the app's
        clients_limit=spec.connections or None,
        crashes=status.crashes,
        uptime_seconds=reading.uptime if reading else None,
        backups=None,  # the keeper tells
    )


def details(instance: Watched, reading: Reading | None, *, show: bool) -> Info:
    """Return all that `redyard info` tells; the password only when it is asked for."""
    spec, status = instance.spec, instance.status
    facts = _ours(instance) if isinstance(instance, Instance) else _theirs(reading)
    return Info(
        **asdict(view(instance, reading)),
        **facts,
        url=instance.url(show=show),
        engine=reading.engine if reading else status.engine,
        version=reading.version if reading else status.version,
        directory=str(
            instance.seat.directory if isinstance(instance, Instance) else instance.registry.directory(spec.name)
        ),
        created_at=format_instant(spec.created_at),
        ready_ms=round(status.ready_ms, 1) if status.ready_ms is not None else None,
        keys=reading.total_keys if reading else None,
        evicted=reading.evicted if reading else None,
    )


def _ours(instance: Instance) -> dict[str, Any]:
    """Return what we made of an engine."""
    spec, seat = instance.spec, instance.seat
    log = "log of every write, flushed each second, and hourly snapshots"
    return {
        "authentication": "user default with a generated password; no dangerous commands",
        "reachable_from": exposure(spec.bind, tls=bool(spec.tls)),
        "encryption": encryption(spec),
        "databases": spec.databases,
        "policy": spec.settings.get("maxmemory-policy")
        or directives.lookup("maxmemory-policy").value(spec.role, spec.limits),
        "persistence": log if spec.role == "store" else "none",
        "socket": str(seat.socket),
        "log": str(seat.log),
        "machine_memory": machine_memory(spec.memory),
        "machine_memory_free": free_memory(),
    }


def _theirs(reading: Reading | None) -> dict[str, Any]:
    """Return what an attached server says of itself."""
    kept = "log of every write" if reading and reading.aof_enabled else "snapshots at most"
    return {
        "authentication": "as its owner gave it",
        "reachable_from": None,
        "encryption": None,
        "databases": None,
        "policy": reading.policy if reading else None,
        "persistence": kept if reading else None,
        "socket": None,
        "log": None,
        "machine_memory": None,
        "machine_memory_free": None,
    }


def variables(instances: Sequence[Watched], user: str, *, files: bool = False) -> dict[str, str]:
    """Return the variables that an app reads, for a store, a cache or both; with the files that have the same."""
    found: dict[str, str] = {}
    for instance in instances:
        url, cache = instance.url(show=True, user=user), instance.spec.role == "cache"
        name = "REDIS_CACHE_URL" if cache else "REDIS_URL"
        found |= {name: url, **instance.files(), **({} if cache else _parts(url))}
        if files and isinstance(instance, Instance):
            found[f"{name}_FILE"] = str(instance.registry.address(instance.name, user))
    return found


def encryption(spec: Spec) -> str:
    """Return in words how connections over TCP are encrypted."""
    ways = {"": "none", "engine": "TLS by the engine", "edge": "TLS by an edge process"}
    return ways[spec.tls] + ("; clients show a certificate" if spec.tls and spec.tls_clients else "")


def _parts(url: str) -> dict[str, str]:
    """Return the parts of an address for other tools; none of an address that needs TLS, which they could not say."""
    parts = urlsplit(url)
    if parts.scheme != "redis":
        return {}
    return {
        "REDISHOST": parts.hostname or "",
        "REDISPORT": str(parts.port or 6379),
        "REDISUSER": unquote(parts.username or "") or "default",
        "REDISPASSWORD": unquote(parts.password or ""),
    }
