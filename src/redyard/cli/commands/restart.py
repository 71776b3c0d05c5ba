"""`redyard restart`: restart engines by name."""

from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls, names

EXAMPLES = ("redyard restart redis", "redyard restart redis-cache")


def restart(
    out: Output,
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on, or one of its instances.")
    ],
) -> None:
    """Restart the engines of an add-on or an instance.

    The port, the data of a store and the variables stay the same; clients reconnect.
    """
    with out.working(f"Restarting {name}"):
        answer = calls().restart(name)
    out.show(answer, "instances")
