"""`redyard config`: the engine's settings, each with its reason, and changes that survive a restart."""

from enum import StrEnum
from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls, names
from redyard.engine.directives import TABLE
from redyard.errors import Usage

EXAMPLES = (
    "redyard config show redis-store",
    "redyard config set redis-store slowlog-log-slower-than 5000",
    "redyard config set redis-store timeout 300 --force",
    "redyard config reset redis-store timeout",
)


class Action(StrEnum):
    """What is done with the settings, named as it is typed."""

    SHOW = "show"
    SET = "set"
    RESET = "reset"


def _settings() -> list[str]:
    """Return the settings that Redyard gives, for a shell to complete."""
    return [row.name for row in TABLE]


def config(
    out: Output,
    action: Annotated[Action, typer.Argument(metavar="show|set|reset", help="What to do.")],
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=names, help="An instance; to show, also an add-on.")
    ],
    setting: Annotated[
        str | None, typer.Argument(metavar="SETTING", autocompletion=_settings, help="The engine's name of it.")
    ] = None,
    value: Annotated[str | None, typer.Argument(metavar="VALUE", help="As the engine writes it.")] = None,
    *,
    force: Annotated[bool, typer.Option("--force", help="Set it although it loses something.")] = False,
) -> None:
    """Show or change the settings of an engine.

    A change counts at once and after every restart; the engine itself judges the value. What would lose what the add-on
    promises to keep is explained and needs --force. What belongs to the plan or the role is not changed here.
    """
    given = sum(item is not None for item in (setting, value))
    if given != {Action.SHOW: 0, Action.SET: 2, Action.RESET: 1}[action]:
        words = {Action.SHOW: "NAME", Action.SET: "NAME SETTING VALUE", Action.RESET: "NAME SETTING"}[action]
        raise Usage(problem=f"`config {action}` takes {words}", command="redyard config")
    yard = calls()
    if action is Action.SHOW:
        out.show(yard.settings(name), "settings")
    elif action is Action.SET:
        out.show(yard.set(name, str(setting), str(value), force=force), "changed")
    else:
        out.show(yard.reset(name, str(setting)), "given_back")
