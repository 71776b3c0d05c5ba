"""`redyard attach`: a Redis that somebody else runs, made known here."""

import os
from typing import Annotated

import typer

from redyard import platform
from redyard.cli.output import Output
from redyard.cli.servers import address
from redyard.cli.yard import ask
from redyard.client.url import check_url, trusting
from redyard.errors import UnusableHere
from redyard.settings import Settings

EXAMPLES = (
    "redyard attach rediss://default:PASSWORD@redis.example.com:6380 --name shop",
    "redyard attach",
    "redyard attach - --role cache",
    "redyard attach rediss://default:PASSWORD@10.0.0.5:6380 --ca-file ca.crt",
)


def attach(
    out: Output,
    url: Annotated[
        str | None, typer.Argument(metavar="URL", help="The address; - reads it from stdin. Default: REDIS_URL.")
    ] = None,
    name: Annotated[str, typer.Option(metavar="NAME", help="The add-on's name.")] = "redis",
    role: Annotated[
        str | None, typer.Option(metavar="store|cache", help="Default: a cache where it evicts, else a store.")
    ] = None,
    ca_file: Annotated[
        str | None,
        typer.Option(metavar="FILE", help="The authority's certificate for rediss://. Default: REDIS_CA_FILE."),
    ] = None,
) -> None:
    """Attach a Redis that somebody else runs.

    It is looked at, described and remembered; its address stays in a private file. Everything works on it but what
    starts, stops or sizes an engine; a store is backed up from now on. A store and a cache may be attached under one
    name. A password on the command line is in the shell's history, and for an instant in the process list: one by
    - or REDIS_URL is not.
    """
    place = check_url(address(url))
    if (trouble := platform.judge(place, os.environ)) and trouble.fatal:
        raise UnusableHere(variable="the address", problem=trouble.problem, advice=trouble.advice)
    place = trusting(place, ca_file or Settings.read(os.environ).redis_ca_file)
    with out.working("Looking at it"):
        answer = ask(out, lambda yard: yard.attach(place, name, role=role))
    out.show(answer, "added")
