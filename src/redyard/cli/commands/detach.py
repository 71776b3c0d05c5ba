"""`redyard detach`: forget an attached Redis."""

from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls, names

EXAMPLES = ("redyard detach shop",)


def detach(
    out: Output,
    name: Annotated[str, typer.Argument(metavar="NAME", autocompletion=names, help="An attached add-on or instance.")],
) -> None:
    """Forget an attached Redis; nothing is done to it."""
    out.show(calls().detach(name), "detached")
