"""`redyard access`: users of an add-on for apps of their own."""

from enum import StrEnum
from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import ask, calls, names
from redyard.engine.access import TEMPLATES
from redyard.errors import Usage

EXAMPLES = (
    "redyard access add redis shop --prefix 'shop:*' --prefix 'bull:shop-*'",
    "redyard access add redis reports --read-only",
    "redyard access list redis",
    "redyard access remove redis shop",
)

READ_ONLY = "read-only"


class Action(StrEnum):
    """What is done with users of apps."""

    ADD = "add"
    REMOVE = "remove"
    LIST = "list"


def _templates() -> list[str]:
    return [row.name for row in TEMPLATES]


def access(  # noqa: PLR0913 - the command's options
    out: Output,
    action: Annotated[Action, typer.Argument(metavar="add|remove|list", help="What to do.")],
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on or an instance.")],
    app: Annotated[str | None, typer.Argument(metavar="APP", help="The app; its user has this name.")] = None,
    *,
    read_only: Annotated[bool, typer.Option("--read-only", help="It only reads.")] = False,
    template: Annotated[
        str, typer.Option(metavar="TEMPLATE", autocompletion=_templates, help="app, read-only, metrics, replication.")
    ] = "app",
    prefix: Annotated[
        list[str] | None, typer.Option("--prefix", metavar="PATTERN", help="Its keys and channels; may be repeated.")
    ] = None,
) -> None:
    """Give an app a user of its own, list who has one, or take it back.

    Two apps with different prefixes cannot read each other's keys and channels. `redyard vars NAME --app APP` and
    `redyard run --app APP` give each its own variables. Whoever is bound to prefixes has no SCAN, RANDOMKEY, CLIENT
    LIST, CLIENT TRACKING or PUBSUB: those tell of everybody's.
    """
    if (app is None) is not (action is Action.LIST):
        words = "NAME" if action is Action.LIST else "NAME APP"
        raise Usage(problem=f"`access {action}` takes {words}", command="redyard access")
    if action is not Action.ADD and (read_only or prefix or template != "app"):
        raise Usage(problem="--read-only, --template and --prefix are for `add`", command="redyard access")
    if read_only and template not in {"app", READ_ONLY}:
        raise Usage(problem=f"--read-only and --template {template} exclude each other", command="redyard access")
    if action is Action.LIST:
        out.show(calls().accesses(name), "access_views:accesses")
    elif action is Action.REMOVE:
        out.show(calls().revoke(name, str(app)), "access_views:revoked")
    else:
        chosen = READ_ONLY if read_only else template
        given = ask(out, lambda yard: yard.grant(name, str(app), chosen, prefix or ()))
        out.show({**given, "variables": f"redyard vars {name} --app {app}"}, "access_views:granted")
