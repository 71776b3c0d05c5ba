"""`redyard start`: start engines by name."""

from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls, names

EXAMPLES = ("redyard start redis", "redyard start redis-cache")


def start(
    out: Output,
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on, or one of its instances.")
    ],
) -> None:
    """Start the engines of an add-on or an instance again.

    It also tries again what has failed too often.
    """
    with out.working(f"Starting {name}"):
        answer = calls().start(name)
    out.show(answer, "instances")
