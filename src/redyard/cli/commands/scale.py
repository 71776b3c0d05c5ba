"""`redyard scale`: another plan for an add-on or an instance, while it runs."""

from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.progress import moving
from redyard.cli.yard import calls

EXAMPLES = ("redyard scale redis 1gb", "redyard scale redis 256mb --dry-run", "redyard scale redis-cache 512mb --move")


def scale(
    out: Output,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An add-on, or one of its instances.")],
    plan: Annotated[str, typer.Argument(metavar="PLAN", help="The plan that it shall have: see `redyard plans`.")],
    move: Annotated[bool, typer.Option("--move", help="Exchange the process too, even if that is not needed.")] = False,
    evict: Annotated[bool, typer.Option("--evict", help="A cache may drop keys that do not fit.")] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
) -> None:
    """Give an add-on or an instance another plan, without stopping it.

    Memory, connections and buffers are changed in the running engine. Where memory is to be given back, a new engine
    takes the old one's place behind the same address: clients are disconnected once, writes pause for some
    milliseconds. A store that would not fit is refused.
    """
    if dry_run:
        out.show(calls().scale(name, plan, move=move, dry_run=True), "changes")
        return
    with moving(out, f"Scaling {name} to {plan}", calls()):
        answer = calls().scale(name, plan, move=move, evict=evict)
    out.show(answer, "moved")
