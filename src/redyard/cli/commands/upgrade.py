"""`redyard upgrade`: another engine, or a newer one, behind the same address."""

from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls

EXAMPLES = ("redyard upgrade redis --dry-run", "redyard upgrade redis --engine /usr/bin/redis-server")


def upgrade(
    out: Output,
    name: Annotated[str, typer.Argument(metavar="NAME", help="An add-on, or one of its instances.")],
    engine: Annotated[
        str | None, typer.Option(metavar="PROGRAM", help="A path or a name; without it, the yard's own engine.")
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")] = False,
) -> None:
    """Exchange the engine for another or a newer one, without stopping it.

    The new engine follows the old one, takes its place behind the same address, and the old one ends. An engine that
    cannot read the old one's data is refused.
    """
    if dry_run:
        out.show(calls().upgrade(name, engine, dry_run=True), "changes")
        return
    with out.working(f"Upgrading {name}"):
        answer = calls().upgrade(name, engine)
    out.show(answer, "changed")
