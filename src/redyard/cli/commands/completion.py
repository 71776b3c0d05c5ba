"""`redyard completion`: what a shell reads to complete commands, options and names. Needs no yard."""

from enum import StrEnum
from typing import Annotated

import typer
from typer.completion import get_completion_script  # type: ignore[attr-defined] # documented, not marked

from redyard.cli.output import Output

EXAMPLES = ('eval "$(redyard completion bash)"', "redyard completion fish")


class Shell(StrEnum):
    """The shells that can be told."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


def completion(
    out: Output, shell: Annotated[Shell, typer.Argument(metavar="bash|zsh|fish", help="Your shell.")]
) -> None:
    """Print what makes a shell complete commands, options and names.

    For each new shell, put `eval "$(redyard completion bash)"` into ~/.bashrc, the same with zsh into ~/.zshrc (after
    `compinit`), or the output of `redyard completion fish` into ~/.config/fish/completions/redyard.fish.
    """
    script = get_completion_script(prog_name="redyard", complete_var="_REDYARD_COMPLETE", shell=shell.value)
    if out.as_json:
        out.show({"shell": shell.value, "script": script}, "")
    else:
        out.write(script.strip() + "\n")
