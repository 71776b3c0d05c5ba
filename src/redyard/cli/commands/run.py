"""`redyard run`: the app with the add-on's variables.

The command takes this process's place, so that signals reach it and its exit status is its own.
"""

import os
import signal
from typing import Annotated, NoReturn

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls, names
from redyard.errors import CommandNotFound

EXAMPLES = (
    "redyard run -- python app.py",
    "redyard run --name jobs -- python worker.py --verbose",
    "redyard run --app shop -- python shop.py",
)

CONTEXT = {"allow_interspersed_args": False}
"""What follows the command's name is the command's."""

IGNORED_BY_PYTHON = ("SIGPIPE", "SIGXFZ", "SIGXFSZ")


def run(
    out: Output,  # noqa: ARG001 - what is printed is the command's; --json is for errors
    command: Annotated[list[str], typer.Argument(metavar="COMMAND", help="The command and its arguments.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", autocompletion=names, help="The add-on, where there are several.")
    ] = None,
    app: Annotated[
        str | None, typer.Option("--app", metavar="APP", help="An app that has a user of its own (`redyard access`).")
    ] = None,
) -> None:
    """Run a command with the add-on's variables in its environment.

    They override variables of the same name. Signals reach the command itself, and its exit status is this one's.
    REDIS_URL_FILE names a file that follows a change of the password, which the kit's clients read again.
    """
    become(command, {**os.environ, **calls().variables(name, app, files=True)})


def become(command: list[str], environment: dict[str, str]) -> NoReturn:
    """Put the command in this process's place, with the signals as a shell would give them."""
    for name in IGNORED_BY_PYTHON:
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_DFL)
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - no shell: the words are the command's own
    except (OSError, ValueError) as error:
        reason = (getattr(error, "strerror", None) or str(error)).lower()
        raise CommandNotFound(command=command[0], reason=reason) from None
