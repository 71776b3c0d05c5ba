"""What a command says: its data to stdout, for a person or as JSON; all else to stderr, and nothing there with JSON.

rich is loaded only to print for a person (`cli.views`, `cli.drawing`). The first parameter of every command's function
is an `Output`; `command` exchanges it for `--json`.
"""

import errno
import inspect
import json
import os
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import wraps
from typing import Annotated, Any

import typer

from redyard.cli.lazy import load
from redyard.errors import DiskFull, RedyardError

VIEWS, DRAWING = "redyard.cli.views", "redyard.cli.drawing"
CLOSED_PIPE = 141
"""What a shell reports of a program whose reader went away: 128 + SIGPIPE."""

Json = Annotated[bool, typer.Option("--json", help="Print JSON; an error is one JSON object on stderr.")]


class Output:
    """The streams of one command, for a person or for a program."""

    def __init__(self, *, as_json: bool) -> None:
        self.as_json = as_json

    def show(self, data: object, view: str) -> None:
        """Print the command's data: as JSON, or as the view of that name draws it."""
        if self.as_json:
            self.write(json.dumps(data, indent=2, default=str) + "\n")
        else:
            self.write(self.draw(data, view))

    def draw(self, data: object, view: str) -> str:
        """Return the text that a view makes of the data, for a person; MODULE:VIEW is one of another module here."""
        module, _, name = view.rpartition(":")
        return str(load(DRAWING).draw(getattr(load(f"redyard.cli.{module}" if module else VIEWS), name)(data)))

    def write(self, text: str) -> None:
        """Write to stdout. A reader who went away ends the command quietly."""
        try:
            typer.echo(text, nl=False, color=True)
        except OSError as error:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            if error.errno == errno.ENOSPC:
                raise DiskFull(path="the output") from None
            raise typer.Exit(CLOSED_PIPE) from None

    def flush(self) -> None:
        """Let a reader have what was written: the command goes on."""
        sys.stdout.flush()

    def say(self, text: str) -> None:
        """Tell a person something that is not the command's data."""
        if not self.as_json:
            typer.echo(text, err=True)

    def working(self, text: str) -> AbstractContextManager[object]:
        """Show that something goes on, while it goes on, to a person at a terminal."""
        if self.as_json or not sys.stderr.isatty():
            return nullcontext()
        spinner: AbstractContextManager[object] = load(DRAWING).working(text)
        return spinner

    @property
    def answers(self) -> bool:
        """Tell whether a person sits at the terminal who can be asked."""
        return not self.as_json and sys.stdin.isatty() and sys.stderr.isatty()

    def ask(self, question: str) -> str:
        """Ask the person at the terminal and return the answer's line."""
        typer.echo(question, nl=False, err=True)
        return sys.stdin.readline().strip()


def command(function: Callable[..., None]) -> Callable[..., None]:
    """Make a command's function one that Typer reads: `--json` in the place of its `Output`."""

    @wraps(function)
    def call(**options: Any) -> None:
        function(Output(as_json=options.pop("json")), **options)

    signature = inspect.signature(function)
    option = inspect.Parameter("json", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=Json)
    kept = [part.replace(kind=inspect.Parameter.KEYWORD_ONLY) for part in list(signature.parameters.values())[1:]]
    vars(call)["__signature__"] = signature.replace(parameters=[*kept, option])
    return call


def fail(error: RedyardError, *, as_json: bool) -> int:
    """Print an error to stderr and return its exit status."""
    text = (
        json.dumps(error.to_json(), default=str) if as_json else f"redyard: {error}\n  {error.remedy}\n  {error.page}"
    )
    try:
        typer.echo(text, err=True)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    return error.status
