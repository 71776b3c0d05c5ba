"""`redyard add`: a Redis, ready to use; a yard is started where none runs."""

from enum import StrEnum
from typing import Annotated, Any

import typer

from redyard.cli.lazy import require
from redyard.cli.output import Output
from redyard.cli.yard import home
from redyard.errors import YardNotRunning
from redyard.yard.calls import Calls
from redyard.yard.launch import launch
from redyard.yard.plans import lookup

EXAMPLES = ("redyard add redis", "redyard add redis --name sessions --plan 1gb --role store")


class Kind(StrEnum):
    """What can be added."""

    REDIS = "redis"


def add(  # noqa: PLR0913 - the command's options
    out: Output,
    kind: Annotated[Kind, typer.Argument(metavar="KIND", help="What to add: redis.")],
    *,
    name: Annotated[str | None, typer.Option(metavar="NAME", help="The add-on's name. Default: redis.")] = None,
    plan: Annotated[str, typer.Option(metavar="PLAN", help="One of `redyard plans`.")] = "256mb",
    role: Annotated[str | None, typer.Option(metavar="store|cache", help="One instance, with the whole plan.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1024, max=65535, help="The store's port; the cache has the next.")
    ] = None,
    show: Annotated[bool, typer.Option("--show", help="Show the password.")] = False,
) -> None:
    """Add a Redis: a store and a cache that share a plan.

    The store loses nothing (no eviction, append-only file); the cache evicts what was not used for long. Where no yard
    runs, one is started.
    """
    lookup(plan).instances(role)  # a plan or role that does not exist must not start a yard
    place = home()
    wanted: dict[str, Any] = {"name": name or kind.value, "plan": plan, "role": role, "port": port}
    with out.working(f"Adding {wanted['name']}"):
        try:
            answer = Calls(place).add(**wanted)
        except YardNotRunning:
            require("addon")
            out.say(f"No yard was running in {place.path}: starting one.")
            launch(place)
            answer = Calls(place).add(**wanted)
        if show:
            answer["instances"] = Calls(place).info(wanted["name"], show=True)["instances"]
    out.show(answer, "added")
