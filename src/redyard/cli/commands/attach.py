"""`redyard attach`: a Redis that somebody else runs, made known here."""

import os
import sys
from typing import Annotated

import typer

from redyard import platform
from redyard.cli.output import Output
from redyard.cli.yard import ask
from redyard.client.url import check_url, find_url, trusting
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
    starts, stops or sizes an engine. A store and a cache may be attached under one name. An address on the command
    line is seen in the process list and the shell's history: - and REDIS_URL are not.
    """
    address = check_url(_given(url))
    if (trouble := platform.judge(address, os.environ)) and trouble.fatal:
        raise UnusableHere(variable="the address", problem=trouble.problem, advice=trouble.advice)
    address = trusting(address, ca_file or Settings.read(os.environ).redis_ca_file)
    with out.working("Looking at it"):
        answer = ask(out, lambda yard: yard.attach(address, name, role=role))
    out.show(answer, "added")


def _given(url: str | None) -> str:
    if url == "-":
        return sys.stdin.readline()
    return find_url(os.environ) if url is None else url
