"""`redyard restart`: a fresh engine by name, with the shortest pause that the machine has room for."""

from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.progress import moving
from redyard.cli.yard import calls, names

EXAMPLES = ("redyard restart redis", "redyard restart redis-cache --dry-run")


def restart(
    out: Output,
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on, or one of its instances.")
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say how, and how long writes pause; do nothing.")] = False,
) -> None:
    """Restart the engines of an add-on or an instance.

    The port, the data of a store and the variables stay the same. Where the machine has room for two, a fresh engine
    takes the old one's place and writes pause for some milliseconds; else the old one stops first.
    """
    plan = calls().restart(name, dry_run=True)
    if dry_run:
        out.show(plan, "changes")
        return
    for change in plan["changes"]:
        if change["way"] != "move":
            out.say(f"{change['name']} stops and starts again: about {change['pause']:.1f} s without it.")
    with moving(out, f"Restarting {name}", calls()):
        answer = calls().restart(name)
    out.show(answer, "moved")
