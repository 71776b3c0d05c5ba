"""`redyard stop`: stop engines by name."""

from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls, names

EXAMPLES = ("redyard stop redis", "redyard stop redis-cache")


def stop(
    out: Output,
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on, or one of its instances.")
    ],
) -> None:
    """Stop the engines of an add-on or an instance until `start`.

    A store saves before it ends. It stays stopped, also after `redyard up`, until `redyard start`.
    """
    with out.working(f"Stopping {name}"):
        answer = calls().stop(name)
    out.show(answer, "instances")
