"""Every error of Redyard: what it means, what to do next, and the exit status of the command that meets it.

The rows are in a module for each area. A class is a row: its docstring is the meaning, `text` what happened (with the
value), `hint` what to do next, `status` the exit status. 1 is a fault of ours, 2 a wrong command line, 10-19 the yard,
20-29 what was asked for, 30-46 the engine and the machine, 100-109 servers and platforms, 110-119 what a doctor found,
142-149 TLS, others from 50 on the kit and backups.
"""

from collections.abc import Mapping

from redyard.errors.backups import *
from redyard.errors.base import RedyardError as RedyardError
from redyard.errors.doctor import *
from redyard.errors.engine import *
from redyard.errors.kit import *
from redyard.errors.queue import *
from redyard.errors.servers import *
from redyard.errors.tls import *
from redyard.errors.yard import *


def _rows(root: type[RedyardError]) -> list[type[RedyardError]]:
    found = [root] if root is not RedyardError else []
    for child in root.__subclasses__():
        found += _rows(child)
    return found


def table() -> list[type[RedyardError]]:
    """Return every error of this module by exit status: the generated reference page and the tests read it."""
    return sorted(
        (row for row in _rows(RedyardError) if row.__module__.startswith(__name__)), key=lambda row: row.status
    )


def revive(payload: Mapping[str, object]) -> RedyardError:
    """Make the error again that the yard's API answered with."""
    details = payload.get("details")
    for row in table():
        if row.__name__ == payload.get("error") and isinstance(details, dict):
            return row(**details)
    return RedyardError(problem=str(payload.get("message", "the yard answered with an unknown error")))
