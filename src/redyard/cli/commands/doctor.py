"""`redyard doctor`: examine a server and say what is wrong, why, and what to do."""

import asyncio
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from redyard.checks import Facts
from redyard.cli.output import Output
from redyard.cli.yard import calls, home
from redyard.client.url import find_url
from redyard.doctor import Examination, checklist, examine, look_at_memory
from redyard.doctor.memory import Deep
from redyard.engine.files import last_lines

EXAMPLES = (
    "redyard doctor",
    "redyard doctor redis-store --checklist",
    'redyard doctor "$REDIS_URL" --memory',
    'redyard doctor --error "Too many connections"',
)

TLS_FILES = ("REDIS_CA_FILE", "REDIS_CERT_FILE", "REDIS_KEY_FILE")
"""Variables of an instance's apps that the doctor needs as well."""


def doctor(
    out: Output,
    what: Annotated[
        str | None,
        typer.Argument(metavar="NAME|URL", help="An instance of the yard, or an address. Default: REDIS_URL."),
    ] = None,
    memory: Annotated[bool, typer.Option("--memory", help="Look at every key: memory by prefix.")] = False,
    as_checklist: Annotated[bool, typer.Option("--checklist", help="Walk the production checklist.")] = False,
    error: Annotated[
        str, typer.Option("--error", help="What the app's log says: it tells its pool from the server.")
    ] = "",
    rest: Annotated[
        float, typer.Option("--rest", help="With --memory: seconds of rest for each second of work.")
    ] = 0.0,
) -> None:
    """Examine a server: what is wrong, why, and what to do.

    It takes less than five seconds and changes nothing. The exit status is 0 when nothing is at warning or worse.
    """
    url, facts, environ = _find(what, error)
    if memory:
        with out.working("Looking at every key"):
            deep = asyncio.run(look_at_memory(url, environ=environ, resting=rest, told=_teller(out)))
        return out.show(deep.to_json(), "memory")
    with out.working("Examining"):
        seen = asyncio.run(examine(url, facts=facts, environ=environ))
    if as_checklist:
        return _show_checklist(out, seen)
    out.show(seen.to_json(), "examined")
    if seen.status:
        raise typer.Exit(seen.status)
    return None


def _show_checklist(out: Output, seen: Examination) -> None:
    answers = [answer._asdict() for answer in checklist.walk(seen.case, seen.findings)]
    out.show({"target": seen.target, "checklist": answers}, "checklist")
    if seen.status:
        raise typer.Exit(seen.status)


def _teller(out: Output) -> Any:
    """Return what tells a person of the progress, once a second."""
    last = [time.monotonic()]

    def tell(deep: Deep) -> None:
        if time.monotonic() - last[0] >= 1:
            last[0] = time.monotonic()
            out.say(f"{deep.keys:,} keys in {deep.seconds:.0f} s")

    return tell


def _find(what: str | None, error: str) -> tuple[str, Facts, Mapping[str, str]]:
    """Return the address, what the yard knows of the instance that it is of, and the environment of its apps."""
    if what is None and any(os.environ.get(name) for name in ("REDIS_URL", "REDISHOST")):
        return find_url(os.environ), Facts(app_error=error), os.environ
    if what is not None and ("://" in what or "$" in what or not what):
        return what, Facts(app_error=error), os.environ
    if what is None and not home().is_held():
        return find_url(os.environ), Facts(app_error=error), os.environ
    yard = calls()
    (instance, *_) = yard.info(what, show=True)["instances"]
    log = last_lines(Path(instance["log"]), 100) if instance["phase"] != "running" else ""
    facts = Facts(role=instance["role"], log=log, phase=instance["phase"], app_error=error)
    variables = yard.variables(instance["name"])
    files = {name: variables[name] for name in TLS_FILES if name in variables}
    return instance["url"], facts, {**os.environ, **files}
