"""`redyard version`: what runs here. Needs no yard."""

import platform

from redyard.cli.output import Output
from redyard.cli.yard import settings
from redyard.engine.find import find
from redyard.errors import EngineUnusable, NoEngine
from redyard.version import VERSION

EXAMPLES = ("redyard version --json",)


def version(out: Output) -> None:
    """Show the versions of Redyard, Python and the engine."""
    data = {
        "redyard": VERSION,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "engine": engine(settings().engine),
    }
    out.show(data, "version")


def engine(wanted: str) -> dict[str, object]:
    """Return the engine that a new instance would have, or why there is none."""
    try:
        return find(wanted)._asdict()
    except (NoEngine, EngineUnusable) as error:
        return error.to_json()
