"""`redyard status`: the yard in one line, the instances in one table."""

from redyard.cli.output import Output
from redyard.cli.yard import calls

EXAMPLES = ("redyard status",)


def status(out: Output) -> None:
    """Show the yard and its instances."""
    out.show(calls().status(), "status")
