"""The commands as a table, and the door to them: only the module of the command that is called is loaded.

Also the one place where an error becomes a message and an exit status.
"""

import os
import re
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import typer
from typer.core import TyperCommand, TyperGroup

from redyard.cli.hiding import hide
from redyard.cli.lazy import load
from redyard.cli.output import command, fail
from redyard.errors import RedyardError, Usage
from redyard.version import VERSION

INTERRUPTED = 130
"""The exit status after Ctrl-C: 128 + SIGINT, as shells have it."""


COMPLETING = "_REDYARD_COMPLETE"
"""By this variable a shell asks for completions: `redyard completion` tells it so."""


class Command(NamedTuple):
    """A row of the table; the module's function of the same name is the command, its `EXAMPLES` are shown by --help."""

    name: str
    help: str
    group: str

    @property
    def module(self) -> str:
        """Return the module that has the command."""
        return f"redyard.cli.commands.{self.name}"


TABLE = (
    Command("up", "Run the yard: it keeps the engines of this directory.", "The yard"),
    Command("down", "Stop the engines and the yard; every store saves first.", "The yard"),
    Command("status", "Show the yard and its instances.", "The yard"),
    Command("logs", "Print what the yard and the engines wrote, in the order of its time.", "The yard"),
    Command("top", "Watch what the instances do, live.", "The yard"),
    Command("audit", "Show what was done with the yard: who, what, before and after, how it ended.", "The yard"),
    Command("alerts", "Show what fires, the rules and the channels; silence a rule.", "The yard"),
    Command("metrics", "Print metrics as Prometheus reads them.", "The yard"),
    Command("version", "Show the versions of Redyard, Python and the engine.", "The yard"),
    Command("completion", "Print what makes a shell complete commands, options and names.", "The yard"),
    Command("add", "Add a Redis: a store and a cache that share a plan.", "Add-ons"),
    Command("attach", "Attach a Redis that somebody else runs.", "Add-ons"),
    Command("detach", "Forget an attached Redis; nothing is done to it.", "Add-ons"),
    Command("info", "Show everything about an add-on or an instance.", "Add-ons"),
    Command("plans", "List the plans: memory, connections, databases.", "Add-ons"),
    Command("remove", "Remove an add-on or an instance with its data, for good.", "Add-ons"),
    Command("run", "Run a command with the add-on's variables in its environment.", "Apps"),
    Command("vars", "Print the variables that an app needs, passwords included.", "Apps"),
    Command("connect", "Open a prompt at an instance, or run one command there.", "Apps"),
    Command("credentials", "Show the users of an engine, or exchange a password while its apps run.", "Apps"),
    Command("access", "Give an app a user of its own, list who has one, or take it back.", "Apps"),
    Command("tls", "Switch TLS on or off, show certificates, or make them anew.", "Engines"),
    Command("config", "Show or change the settings of an engine.", "Engines"),
    Command("worker", "Run the jobs of a queue.", "Queues"),
    Command("queues", "Look at the queues of a server, and tend them.", "Queues"),
    Command("health", "Say whether Redis takes a write; for a container's check.", "Looking"),
    Command("doctor", "Examine a server: what is wrong, why, and what to do.", "Looking"),
    Command("restart", "Restart the engines of an add-on or an instance.", "Engines"),
    Command("scale", "Give an add-on or an instance another plan, without stopping it.", "Engines"),
    Command("upgrade", "Exchange the engine for another or a newer one, without stopping it.", "Engines"),
    Command("stop", "Stop the engines of an add-on or an instance until `start`.", "Engines"),
    Command("start", "Start the engines of an add-on or an instance again.", "Engines"),
    Command("backups", "List, take, restore, prove and compare backups: every moment of a store.", "Backups"),
)


class Quick(TyperCommand):
    """A command whose own --help costs nothing while nobody asks for it."""

    def get_help_option(self, ctx: Any) -> Any:
        """Return --help, off unless given."""
        return _off(super().get_help_option(ctx))


class Commands(TyperGroup):
    """The top-level command: it knows its commands from the table, and builds the one that is called."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        rows = [TyperCommand(row.name, help=row.help, rich_help_panel=row.group) for row in TABLE]
        self.commands = {row.name or "": row for row in rows}

    def get_help_option(self, ctx: Any) -> Any:
        """Return --help, off unless given."""
        return _off(super().get_help_option(ctx))

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command by its name, and load its module."""
        name, found, rest = super().resolve_command(ctx, args)
        return name, found and build(next(row for row in TABLE if row.name == name)), rest


def build(row: Command) -> TyperCommand:
    """Load a command's module and make the command of it; the reference page reads its help and options."""
    module = load(row.module)
    function = getattr(module, row.name)
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command(
        row.name,
        cls=Quick,
        help=_paragraphs(function.__doc__),
        epilog="\n\n".join(f"Example: {example}" for example in module.EXAMPLES),
        context_settings={"help_option_names": ["-h", "--help"], **getattr(module, "CONTEXT", {})},
    )(command(function))
    built: TyperCommand = typer.main.get_command(app)  # type: ignore[assignment] # an app of one command is that command
    if COMPLETING in os.environ:
        for item in built.params:  # nothing runs, so no word becomes a value: that would load pydantic (0.1 s)
            vars(item)["process_value"] = lambda _, value: value
    return built


def _off(option: Any) -> Any:
    """Give --help the default that Typer forgets: with none, it loads pydantic at each start to read it (0.1 s)."""
    if option is not None:
        option.default = False
    return option


def _paragraphs(text: str) -> str:
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"redyard {VERSION}")
        raise typer.Exit


app = typer.Typer(
    cls=Commands,
    add_completion=False,  # its options load pydantic too, see _off
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


@app.callback(epilog="Example: redyard add redis, then: redyard run -- python app.py")
def redyard(
    version: bool = typer.Option(False, "--version", callback=_show_version, is_eager=True, help="Show the version."),
) -> None:
    """Redyard: the managed Redis add-on that you own."""


def main() -> int:
    """Run the command line and return the exit status."""
    hide(sys.argv)
    arguments = sys.argv[1:] or ["--help"]
    if COMPLETING in os.environ:
        load("typer.completion").completion_init()
    try:
        return typer.main.get_command(app).main(arguments, prog_name="redyard", standalone_mode=False) or 0
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except Exception as error:
        if os.environ.get("REDYARD_TRACEBACK"):
            raise
        return fail(explain(error, arguments), as_json="--json" in _own(arguments))


def explain(error: Exception, arguments: Sequence[str]) -> RedyardError:
    """Return the error of the table for what was raised: as it is, a wrong command line, or a fault of ours."""
    if isinstance(error, RedyardError):
        return error
    if isinstance(error, typer.TyperException):
        name = next((row.name for row in TABLE if row.name in arguments[:1]), "")
        return Usage(problem=error.format_message().replace("Value error, ", ""), command=f"redyard {name}".strip())
    return RedyardError(problem=f"{type(error).__name__}: {_one_line(str(error))}")


def _own(arguments: list[str]) -> list[str]:
    """Return the words before `--`: what follows is for another program."""
    return arguments[: arguments.index("--")] if "--" in arguments else arguments


def _one_line(text: str) -> str:
    return re.sub(r"(://[^:/@\s]*):[^@\s]+@", r"\1:***@", " ".join(text.split()))
