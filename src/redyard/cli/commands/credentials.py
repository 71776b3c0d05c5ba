"""`redyard credentials`: who may log in, and new passwords without a stop."""

from enum import StrEnum
from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.progress import moving
from redyard.cli.yard import calls, names
from redyard.errors import Usage
from redyard.units import parse_span

EXAMPLES = (
    "redyard credentials show redis",
    "redyard credentials rotate redis",
    "redyard credentials rotate redis-store --user shop --wait 1h",
    "redyard credentials rotate redis --user all --now",
)

LONGEST_WAIT = 3600.0
"""Seconds that a rotation may wait; it is gone on with by the same command."""


class Action(StrEnum):
    """What is done with passwords."""

    SHOW = "show"
    ROTATE = "rotate"


def credentials(  # noqa: PLR0913 - the command's options
    out: Output,
    action: Annotated[Action, typer.Argument(metavar="show|rotate", help="What to do.")],
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on or an instance.")],
    *,
    user: Annotated[
        str | None,
        typer.Option(metavar="USER", help="app, monitor, replication, admin, an app with access, or all."),
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Print passwords.")] = False,
    now: Annotated[
        bool, typer.Option("--now", help="End the old password at once, and close the user's connections.")
    ] = False,
    wait: Annotated[
        str, typer.Option(metavar="SPAN", help="How long to wait for those who use the old password; 1h at most.")
    ] = "10m",
) -> None:
    """Show the users of an engine, or exchange a password while its apps run.

    To rotate: the engine takes a new password beside the old one, `redyard vars` and the files of `redyard run` have
    the new one, and the old one ends when no connection is left that came in with it. Who still uses it is named. An
    interrupted rotation leaves both, and the same command goes on with it.
    """
    if (show and action is Action.ROTATE) or (now and action is Action.SHOW):
        raise Usage(problem="--show is for `show`, --now for `rotate`", command="redyard credentials")
    yard = calls()
    if action is Action.SHOW:
        out.show(yard.credentials(name, user or "all", show=show), "access_views:credentials")
        return
    seconds = parse_span(wait)
    if seconds > LONGEST_WAIT:
        raise Usage(problem=f"--wait {wait} is longer than 1h", command="redyard credentials")
    with moving(out, f"Exchanging passwords of {name}", yard):
        done = yard.rotate(name, user or "app", now=now, wait=seconds)
    out.show(done, "access_views:rotated")
