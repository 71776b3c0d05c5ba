"""What a person reads of queues."""

import json
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.text import Text

from redyard.cli.drawing import pair, pairs, plain, span, table
from redyard.units import format_instant

Data = Mapping[str, Any]

LONGEST = 60
"""Characters of a reason in a table."""


def queues(data: Data) -> RenderableType:
    """Draw all queues, a line each."""
    if not data["queues"]:
        return plain("No queue on this server yet.")
    rows = table("QUEUE", "WAITING>", "ACTIVE>", "DELAYED>", "FAILED>", "COMPLETED>", "WORKERS>", "OLDEST>")
    for queue in data["queues"]:
        jobs = queue["jobs"]
        waiting = jobs["waiting"] + jobs["prioritized"] + jobs["waiting-children"]
        counts = (waiting, jobs["active"], jobs["delayed"], jobs["failed"], jobs["completed"], queue["workers"])
        name = f"{queue['name']} (paused)" if queue["paused"] else queue["name"]
        rows.add_row(name, *map(str, counts), _waited(queue))
    return rows


def queue(data: Data) -> RenderableType:
    """Draw everything about one queue."""
    about = data["queue"]
    facts = [
        ("state", "paused" if about["paused"] else "open"),
        *about["jobs"].items(),
        ("oldest waiting", _waited(about)),
        ("completed in the last hour", about["completed_last_hour"]),
        ("failed in the last hour", about["failed_last_hour"]),
        *((f"worker {worker['name']}", _worker(worker)) for worker in about["workers"]),
    ]
    if not about["workers"]:
        facts.append(("workers", "none: nobody does these jobs"))
    parts: list[RenderableType] = [Text(about["name"], style="bold"), *pairs(facts)]
    if about["failures"]:
        rows = table("JOBS>", "REASON", "NAMES", "NEWEST", "AT")
        for failure in about["failures"]:
            names = ", ".join(failure["names"])
            reason = failure["reason"][:LONGEST]
            rows.add_row(str(failure["jobs"]), reason, names, failure["newest"], _at(failure["at"]))
        parts += [Text("\nFailed", style="bold"), rows]
        parts.append(pair("Run them again", f"redyard queues retry {about['name']} [--reason TEXT]"))
    return Group(*parts)


def jobs(data: Data) -> RenderableType:
    """Draw jobs, a line each."""
    if not data["jobs"]:
        return plain("No such jobs.")
    rows = table("JOB", "NAME", "STATE", "ATTEMPTS>", "ADDED", "ENDED", "REASON")
    for job in data["jobs"]:
        times = (_at(job["added_at"]), _at(job["finished_at"]))
        reason = (job["failed_reason"] or "")[:LONGEST]
        rows.add_row(job["id"], job["name"], job["state"], str(job["attempts_made"]), *times, reason)
    return rows


def job(data: Data) -> RenderableType:
    """Draw everything about one job."""
    job = data["job"]
    facts = [
        ("state", job["state"]),
        ("attempts", job["attempts_made"]),
        ("progress", json.dumps(job["progress"])),
        ("data", json.dumps(job["data"], ensure_ascii=False)),
        ("options", json.dumps(job["opts"])),
        ("result", None if job["result"] is None else json.dumps(job["result"], ensure_ascii=False)),
        ("reason", job["failed_reason"]),
    ]
    parts: list[RenderableType] = [Text(f"{job['name']} {job['id']}", style="bold"), *pairs(facts)]
    if job["timeline"]:
        parts += [
            Text("\nWhat happened", style="bold"),
            *pairs((_at(step["at"]), _step(step)) for step in job["timeline"]),
        ]
    if job["log"]:
        parts += [Text("\nLog", style="bold"), *(plain(f"  {line}") for line in job["log"])]
    if job["stacks"]:
        parts += [Text("\nLast stack", style="bold"), plain(job["stacks"][-1].rstrip())]
    return Group(*parts)


def plan(data: Data) -> RenderableType:
    """Draw what would be done."""
    return plain(f"This would {data['would']}.")


def done(data: Data) -> RenderableType:
    """Draw what was done, and what is left."""
    jobs = f" ({data['jobs']} jobs)" if data["jobs"] else ""
    done = plain(f"Done: {data['did']}{jobs}.")
    return Group(done, queues({"queues": [data["queue"]]})) if data["queue"] else done


def _waited(queue: Data) -> str:
    return span(queue["oldest_waiting_seconds"]) if queue["oldest_waiting_seconds"] else "-"


def _worker(worker: Data) -> str:
    busy = f", {worker['active']} of {worker['concurrency']} jobs" if "active" in worker else ""
    return f"{worker['address']}{busy}"


def _at(moment: float | None) -> str:
    return format_instant(moment) if moment else "-"


def _step(step: Data) -> str:
    rest = " ".join(f"{name}={value}" for name, value in step.items() if name not in {"at", "event", "name"})
    return f"{step['event']} {rest}"[:200].rstrip()
