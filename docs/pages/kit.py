"""The pages of errors, settings, keys and events."""

import logging
import re

from pages.markdown import code, page, prose, table
from redyard import errors, events, keys, settings
from redyard.units import format_span

AREAS = ("A fault of ours", "The yard", "What was asked for", "The engine", "The machine", "The kit", "The kit")
"""What the tens of an exit status stand for."""


def error_page() -> str:
    """Draw the errors."""
    rows, parts, area = errors.table(), [], ""
    for row in rows:
        here = "The command line" if row.status == 2 else AREAS[min(row.status // 10, len(AREAS) - 1)]
        parts += [f"## {here}"] if here != area else []
        parts.append(_error(row))
        area = here
    intro = prose("""An error is one message, one hint and one exit status; with `--json`, one JSON object on stderr.
        `1` is a fault of Redyard, `2` a command line that cannot be understood, `130` a Ctrl-C. `redyard
        run` ends with the status of its command. The kit raises exceptions of these names, from
        `redyard.errors`; each is a `RedyardError`.""")
    return page("Errors", "src/redyard/errors.py", intro, *parts)


def _error(row: type[errors.RedyardError]) -> str:
    said = " ".join(re.sub(r"\{(\w+)[^}]*\}", r"{\1}", row.text).split())
    meaning = prose(f"Exit status {row.status}. {row.__doc__}")
    return f"### {row.__name__}\n\n{meaning}\n\n- It says: `{said}`\n- Do: {row.hint}"


def setting_page() -> str:
    """Draw the settings."""
    rows = [(code(row.variable), row.meaning, "yes" if row.secret else "no") for row in settings.table()]
    intro = "Redyard reads these variables. An empty one counts as absent, and no message shows a secret one."
    return page("Settings", "src/redyard/settings.py", intro, table("variable | meaning | secret", rows))


def key_page() -> str:
    """Draw the keys and their lifetimes."""
    times = [(life.name.lower().replace("_", " "), _span(life)) for life in keys.Lifetime]
    rows = [
        (row.name, code(row.pattern), row.type, row.owner, _span(row.lifetime) if not row.reason else row.reason)
        for row in keys.TABLE
    ]
    intro = prose("""Every key that the kit writes. It lives at most as long as this says, unless you choose another
        time (`ttl`, `per`); a key without an end has its reason there.""")
    written = table("key | pattern | type | owner | lives", rows)
    classes = table("class | lives", times)
    return page("Keys", "src/redyard/keys.py", intro, written, "## Classes of lifetimes", classes)


def _span(life: keys.Lifetime) -> str:
    return format_span(life.seconds) if life.seconds else "until it is removed"


def event_page() -> str:
    """Draw the events."""
    rows = [
        (code(row.name), logging.getLevelName(row.level).lower(), row.meaning, ", ".join(map(code, row.fields)))
        for row in events.TABLE
    ]
    intro = prose("""What can happen. The yard writes its events to `yard.log`; an app hears its own by
        `redyard.events.subscribe(listener)`. No field holds a secret.""")
    return page("Events", "src/redyard/events.py", intro, table("event | level | meaning | fields", rows))
