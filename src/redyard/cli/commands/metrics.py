"""`redyard metrics`: what Prometheus reads."""

from typing import Annotated

import typer

from redyard.cli.output import Output
from redyard.cli.yard import calls

EXAMPLES = ("redyard metrics", "redyard metrics redis-store > /var/lib/node_exporter/redyard.prom")


def metrics(
    out: Output,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="An add-on or an instance. Default: all.")] = None,
) -> None:
    """Print metrics as Prometheus reads them.

    The names are redis_exporter's, and redyard_* for ours; each figure has its instance as a label.
    """
    answer = calls().metrics(name)
    if out.as_json:
        out.show(answer, "metrics")
    else:
        out.write(answer["text"])
