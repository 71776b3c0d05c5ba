"""`redyard vars`: the add-on's variables, for a file, a program or a shell.

The only command whose job is to show a password.
"""

import shlex
from collections.abc import Mapping
from enum import StrEnum
from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls, names

EXAMPLES = ("redyard vars > .env", 'eval "$(redyard vars --format shell)"', "redyard vars redis --app shop")


class Form(StrEnum):
    """How the variables are written."""

    ENV = "env"
    JSON = "json"
    SHELL = "shell"


def vars(  # noqa: A001 - the command's name
    out: Output,
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", autocompletion=names, help="The add-on, where there are several.")
    ] = None,
    app: Annotated[
        str | None, typer.Option("--app", metavar="APP", help="An app that has a user of its own (`redyard access`).")
    ] = None,
    form: Annotated[Form, typer.Option("--format", help="KEY=VALUE lines, JSON, or lines for a shell.")] = Form.ENV,
) -> None:
    """Print the variables that an app needs, passwords included."""
    out.as_json = out.as_json or form is Form.JSON
    variables = calls().variables(name, app)
    if out.as_json:
        out.show(variables, "")
    else:
        out.write(render(variables, form))


def render(variables: Mapping[str, str], form: Form) -> str:
    """Return the lines of a form: `KEY=VALUE`, or `export KEY='VALUE'` with what a shell would read quoted."""
    if form is Form.SHELL:
        return "".join(f"export {key}={shlex.quote(value)}\n" for key, value in variables.items())
    return "".join(f"{key}={value}\n" for key, value in variables.items())
