"""`redyard connect`: a person at an instance, with no more rights than asked for."""

import json
import os
import shutil
import sys
from typing import Annotated, Any
from urllib.parse import parse_qs, unquote, urlsplit

import typer

from redyard.cli.commands.run import become
from redyard.cli.output import Output
from redyard.cli.prompt import Line, Refused, converse, draw, flushes, plain, raw
from redyard.cli.yard import calls, names
from redyard.errors import CommandRefused, NotEmptied, Usage

EXAMPLES = (
    "redyard connect redis",
    "redyard connect redis-cache --app -- GET greeting",
    "redyard connect redis --admin -- CONFIG GET save",
)

PROGRAMS = ("valkey-cli", "redis-cli")
USERS = {"monitor": "the monitor user: looks, changes nothing", "default": "the app's user", "yard": "the yard's user"}


def connect(
    out: Output,
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=names, help="An instance, or an add-on: its store.")
    ],
    command: Annotated[
        list[str] | None, typer.Argument(metavar="COMMAND", help="One command to run; without it a prompt opens.")
    ] = None,
    *,
    app: Annotated[bool, typer.Option("--app", help="As the app: reads and writes data.")] = False,
    admin: Annotated[bool, typer.Option("--admin", help="As the yard: everything. Asks before FLUSH*.")] = False,
    confirm: Annotated[
        str | None, typer.Option(metavar="NAME", help="The name again, for a FLUSH* by --admin.")
    ] = None,
) -> None:
    """Open a prompt at an instance, or run one command there.

    As the monitor user, who changes nothing, unless --app or --admin. Where valkey-cli or redis-cli is installed it is
    the prompt; its password is in its environment, never in the process list. With --admin, and at what is attached
    without --app, the prompt is Redyard's own.
    """
    if app and admin:
        raise Usage(problem="--app and --admin exclude each other", command="redyard connect")
    if out.as_json and not command:
        raise Usage(problem="--json needs a command: a prompt is for people", command="redyard connect")
    user = "yard" if admin else "default" if app else "monitor"
    yard = calls()
    login = yard.login(name, user)
    line = Line(login["name"], login["url"])
    if command:
        if flushes(command) and not _confirmed(out, login["name"], confirm):
            raise NotEmptied(name=login["name"])
        _run(out, line, command, user)
        return
    out.say(f"{login['name']} as {'the user of its address' if login['attached'] else USERS[user]}; Ctrl-D ends.")
    usual = app or not (admin or login["attached"])  # what may do everything is asked before it empties
    if usual and (program := next(filter(None, map(shutil.which, PROGRAMS)), None)):
        words, secrets = arguments(login["url"])
        become([program, *words], {**os.environ, **secrets})
    history = yard.home.path / "history"
    converse(line, history, confirm=lambda name: _confirmed(out, name, None), write=out.write)


def arguments(url: str) -> tuple[list[str], dict[str, str]]:
    """Return what the usual programs take for an address: words without the password, and variables with it."""
    parts = urlsplit(url)
    options = {name: values[0] for name, values in parse_qs(parts.query).items()}
    place = ["-h", parts.hostname or "", "-p", str(parts.port or 6379)]
    words = ["-s", unquote(parts.path)] if parts.scheme == "unix" else place
    if parts.scheme == "rediss":
        words += ["--tls", *(["--cacert", options["ssl_ca_certs"]] if "ssl_ca_certs" in options else [])]
    database = options.get("db", "") if parts.scheme == "unix" else parts.path.strip("/")
    words += ["-n", database] if database not in {"", "0"} else []
    words += ["--user", unquote(parts.username)] if parts.username else []
    password = unquote(parts.password or options.get("password", ""))
    return words, dict.fromkeys(("REDISCLI_AUTH", "VALKEYCLI_AUTH"), password) if password else {}


def _run(out: Output, line: Line, command: list[str], user: str) -> None:
    """Print one command's reply: for a person, for a program, or as JSON."""
    try:
        reply: Any = line.ask(command)
    except Refused as error:
        raise CommandRefused(name=line.name, command=command[0].upper(), reason=str(error), user=user) from None
    finally:
        line.close()
    if out.as_json:
        out.write(json.dumps(plain(reply)) + "\n")
    else:
        out.write((draw(reply) if sys.stdout.isatty() else raw(reply)) + "\n")


def _confirmed(out: Output, name: str, given: str | None) -> bool:
    if given is None and out.answers:
        given = out.ask(f"This empties {name}, for good. Type {name} to do it: ")
    return given == name
