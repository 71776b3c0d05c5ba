"""What commands show of an instance: pure functions from what is wanted, seen and read to plain values."""

import psutil

from redyard.engine import directives
from redyard.reading import Reading
from redyard.units import format_instant
from redyard.yard import credentials
from redyard.yard.plans import machine_memory
from redyard.yard.supervisor import Instance

HIDDEN = "***"
"""Stands for a password wherever it was not asked for."""


def view(instance: Instance, reading: Reading | None) -> dict[str, object]:
    """Return the line of `redyard status`; live numbers are None while the engine does not answer."""
    spec, status = instance.spec, instance.status
    return {
        "name": spec.name,
        "addon": spec.addon,
        "role": spec.role,
        "plan": spec.plan,
        "phase": status.phase.value,
        "reason": status.reason,
        "doing": instance.doing,
        "wanted": spec.wanted,
        "port": spec.port,
        "pid": status.pid,
        "memory_used": reading.used_memory if reading else None,
        "memory_limit": spec.memory,
        "clients": max(0, reading.connected_clients - 1) if reading else None,  # the yard's own is not the app's
        "clients_limit": spec.connections,
        "crashes": status.crashes,
        "uptime_seconds": reading.uptime if reading else None,
    }


def details(instance: Instance, reading: Reading | None, *, show: bool) -> dict[str, object]:
    """Return all that `redyard info` tells; the password only when it is asked for."""
    spec, status, seat = instance.spec, instance.status, instance.seat
    password = instance.passwords["default"] if show else HIDDEN
    limits = spec.limits
    return view(instance, reading) | {
        "url": credentials.url(spec.port, password),
        "engine": status.engine,
        "version": status.version,
        "authentication": "user default with a generated password; no dangerous commands",
        "databases": spec.databases,
        "policy": directives.lookup("maxmemory-policy").value(spec.role, limits),
        "persistence": "log of every write, flushed each second, and hourly snapshots"
        if spec.role == "store"
        else "none",
        "socket": str(seat.socket),
        "directory": str(seat.directory),
        "log": str(seat.log),
        "created_at": format_instant(spec.created_at),
        "ready_ms": round(status.ready_ms, 1) if status.ready_ms is not None else None,
        "machine_memory": machine_memory(spec.memory),
        "machine_memory_free": psutil.virtual_memory().available,
        "keys": reading.total_keys if reading else None,
        "evicted": reading.evicted if reading else None,
    }


def variables(instances: list[Instance]) -> dict[str, str]:
    """Return the variables that an app reads, for a store, a cache or both."""
    found: dict[str, str] = {}
    for instance in instances:
        password = instance.passwords["default"]
        url = credentials.url(instance.spec.port, password)
        if instance.spec.role == "cache":
            found["REDIS_CACHE_URL"] = url
            continue
        found |= {
            "REDIS_URL": url,
            "REDISHOST": "127.0.0.1",
            "REDISPORT": str(instance.spec.port),
            "REDISUSER": "default",
            "REDISPASSWORD": password,
        }
    return found
