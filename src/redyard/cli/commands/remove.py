"""`redyard remove`: an add-on or an instance and its data, for good; so it wants the name twice."""

import shlex
from collections.abc import Mapping, Sequence
from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls, names
from redyard.errors import NotConfirmed

EXAMPLES = ("redyard remove redis --dry-run", "redyard remove redis --confirm redis")

FACTS = ("name", "addon", "role", "plan", "phase", "keys", "memory_used", "directory")
"""What a person wants to know of an instance before its data go."""


def remove(
    out: Output,
    name: Annotated[
        str, typer.Argument(metavar="NAME", autocompletion=names, help="An add-on, or one of its instances.")
    ],
    confirm: Annotated[str | None, typer.Option(metavar="NAME", help="The name again: yes, this one.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Say what would go, and remove nothing.")] = False,
) -> None:
    """Remove an add-on or an instance with its data, for good.

    Nothing takes it back. At a terminal it asks for the name; elsewhere it needs --confirm.
    """
    yard = calls()
    doomed = [{fact: instance[fact] for fact in FACTS} for instance in yard.info(name)["instances"]]
    addon = yard.info(doomed[0]["addon"])
    whole = len(addon["instances"]) == len(doomed)
    plan = {"would_remove": doomed, "again": again(addon["name"], doomed) if whole else None}
    if dry_run:
        out.show(plan, "would_remove")
        return
    if (confirm or _ask(out, name, plan)) != name:
        raise NotConfirmed(name=name)
    with out.working(f"Removing {name}"):
        answer = yard.remove(name, name)
    out.show({**answer, "again": plan["again"]}, "removed")


def again(name: str, instances: Sequence[Mapping[str, object]]) -> str:
    """Return the command that makes an empty add-on of the same shape. (A half of one cannot be added alone.)"""
    words = ["redyard", "add", "redis", "--name", name, "--plan", str(instances[0]["plan"])]
    if len(instances) == 1:
        words += ["--role", str(instances[0]["role"])]
    return shlex.join(words)


def _ask(out: Output, name: str, plan: object) -> str | None:
    if not out.answers:
        return None
    out.say(out.draw(plan, "would_remove"))
    return out.ask(f"Type {name} to remove it: ")
