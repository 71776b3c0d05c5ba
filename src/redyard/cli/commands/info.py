"""`redyard info`: everything about an add-on or an instance."""

from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls, names

EXAMPLES = ("redyard info", "redyard info redis-store --show")


def info(
    out: Output,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on or an instance. Default: all.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show the password.")] = False,
) -> None:
    """Show everything about an add-on or an instance.

    Connection URL, version, memory, authentication, data, files. The password is hidden without --show.
    """
    yard = calls()
    addons = dict.fromkeys(view["addon"] for view in yard.status()["instances"]) if name is None else ()
    answers = [yard.info(chosen, show=show) for chosen in addons or (name,)]
    instances = [instance for answer in answers for instance in answer["instances"]]
    out.show({"name": name, "instances": instances}, "info")
