"""`redyard upgrade`: another engine, or a newer one, behind the same address."""

from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.progress import moving
from redyard.cli.yard import calls

EXAMPLES = ("redyard upgrade redis --dry-run", "redyard upgrade redis --engine /usr/bin/redis-server")


def upgrade(
    out: Output,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An add-on, or one of its instances.")],
    engine: Annotated[
        str | None, typer.Option(metavar="PROGRAM", help="A path or a name; without it, the yard's own engine.")
    ] = None,
    pause: Annotated[
        bool, typer.Option("--pause", help="Writes may pause while the new engine reads the log.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
) -> None:
    """Exchange the engine for another or a newer one, without stopping it.

    The new engine follows the old one, takes its place behind the same address, and the old one ends. An engine that
    cannot follow (Redis none of Valkey 9) reads a copy of the log instead, while writes pause: that wants --pause. So
    every upgrade has its way back.
    """
    if dry_run:
        out.show(calls().upgrade(name, engine, dry_run=True), "changes")
        return
    with moving(out, f"Upgrading {name}", calls()):
        answer = calls().upgrade(name, engine, pause=pause)
    out.show(answer, "moved")
