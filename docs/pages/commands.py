"""The page of commands: each one's own help, options and examples."""

from enum import Enum
from typing import Any

from pages.markdown import code, page, prose, table
from redyard.cli import main as cli


def command_page() -> str:
    """Draw the commands."""
    listed = [(f"[`{row.name}`](#redyard-{row.name})", row.group, row.help) for row in cli.TABLE]
    intro = prose("""Data go to stdout, messages to stderr. Every command has `--json` and `--help`. Exit statuses are
        those of the [errors](errors.md).""")
    first = table("command | about | what it does", listed)
    return page("Commands", "src/redyard/cli/main.py", intro, first, *map(_command, cli.TABLE))


def _paragraphs(text: str) -> str:
    return "\n\n".join(map(prose, text.split("\n\n")))


def _command(row: cli.Command) -> str:
    built = cli.build(row)
    shown = [item for item in built.params if not item.hidden]
    usage = " ".join(["redyard", row.name, "[OPTIONS]", *filter(None, map(_argument, shown))])
    examples = (built.epilog or "").replace("Example: ", "").split("\n\n")
    head = [f"## redyard {row.name}", _paragraphs(built.help or ""), f"```sh\n{usage}\n```"]
    options = table("argument or option | meaning", [(code(_name(item)), _meaning(item)) for item in shown])
    return "\n\n".join([*head, options, "Examples:", "```sh\n" + "\n".join(examples) + "\n```"])


def _argument(item: Any) -> str:
    if item.param_type_name != "argument":
        return ""
    if item.nargs < 0:
        return f"-- {item.metavar} [ARGUMENTS]"
    return str(item.metavar) if item.required else f"[{item.metavar}]"


def _name(item: Any) -> str:
    if item.param_type_name == "argument":
        return str(item.metavar)
    choices = "|".join(type(item.default)) if isinstance(item.default, Enum) else item.name.upper()
    return ", ".join(item.opts) + ("" if item.is_flag else f" {item.metavar or choices}")


def _meaning(item: Any) -> str:
    value = item.default.value if isinstance(item.default, Enum) else item.default
    return f"{item.help} Default: {value}." if value and isinstance(value, str) else str(item.help)
