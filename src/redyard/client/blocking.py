"""Which commands block on the server, and for how long: a client must wait for them as long as they were told to."""

from itertools import pairwise
from math import inf

from redyard.client.routes import text

MILLISECONDS = 0.001

LAST = {
    **dict.fromkeys(("BLPOP", "BRPOP", "BLMOVE", "BRPOPLPUSH", "BZPOPMIN", "BZPOPMAX"), 1.0),
    **dict.fromkeys(("WAIT", "WAITAOF"), MILLISECONDS),
}
"""Commands whose last argument is their timeout, and its unit in seconds."""

FIRST = {"BLMPOP": 1.0, "BZMPOP": 1.0}
"""Commands whose first argument is their timeout."""

OPTION = {"XREAD", "XREADGROUP"}
"""Commands that block by the option BLOCK, in milliseconds."""


def patience(command: tuple[object, ...]) -> float | None:
    """Return the seconds for which a command may block: infinity for 0, None for one that does not block."""
    name = text(command[0]).upper()
    if name in LAST and len(command) > 1:
        return _seconds(command[-1], LAST[name])
    if name in FIRST and len(command) > 1:
        return _seconds(command[1], FIRST[name])
    return _block_option(command) if name in OPTION else None


def _block_option(command: tuple[object, ...]) -> float | None:
    for word, value in pairwise(command):
        option = text(word).upper()
        if option == "STREAMS":
            break
        if option == "BLOCK":
            return _seconds(value, MILLISECONDS)
    return None


def _seconds(value: object, unit: float) -> float | None:
    try:
        return float(text(value)) * unit or inf
    except ValueError:
        return None  # the server will refuse it
