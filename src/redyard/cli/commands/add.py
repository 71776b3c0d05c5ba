"""`redyard add`: a Redis, ready to use; a yard is started where none runs."""

from enum import StrEnum
from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import ask, calls
from redyard.yard.plans import PLANS, lookup

EXAMPLES = (
    "redyard add redis",
    "redyard add redis --bind 10.0.0.5 --tls",
    "redyard add redis --name sessions --plan 1gb --role store",
)


class Kind(StrEnum):
    """What can be added."""

    REDIS = "redis"


def add(  # noqa: PLR0913 - the command's options
    out: Output,
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="What to add: redis.")],
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The add-on's name. Default: redis.")] = None,
    plan: Annotated[
        str, typer.Option(metavar="PLAN", autocompletion=lambda: list(PLANS), help="One of `redyard plans`.")
    ] = "256mb",
    role: Annotated[str | None, typer.Option(metavar="store|cache", help="One instance, with the whole plan.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1024, max=65535, help="The store's port; the cache has the next.")
    ] = None,
    bind: Annotated[
        str, typer.Option(metavar="ADDR", help="Listen on this address: loopback or a private network.")
    ] = "127.0.0.1",
    tls: Annotated[bool, typer.Option("--tls", help="Encrypted connections; public addresses are allowed.")] = False,
    tls_clients: Annotated[
        bool, typer.Option("--tls-clients", help="With TLS; clients must show a certificate, too.")
    ] = False,
    show: Annotated[bool, typer.Option("--show", help="Show the password.")] = False,
) -> None:
    """Add a Redis: a store and a cache that share a plan.

    The store loses nothing (no eviction, append-only file); the cache evicts what was not used for long. Where no yard
    runs, one is started. On another address than loopback the engines are open to its network, by password; without
    --tls all that travels there can be read, so public addresses need it. With --tls the variables name the authority
    that the yard made (REDIS_CA_FILE); the kit checks it without a flag.
    """
    lookup(plan).instances(role)  # a plan or role that does not exist must not start a yard
    name = name or kind.value
    encryption = {"tls": True, "tls_clients": tls_clients} if tls or tls_clients else {}
    with out.working(f"Adding {name}"):
        answer = ask(out, lambda yard: yard.add(name, plan, role=role, port=port, bind=bind, **encryption))
        if show:
            answer["instances"] = calls().info(name, show=True)["instances"]
    out.show(answer, "added")
