"""Load a module when it is first needed: a command must not wait for what only another command uses."""

from importlib import import_module
from importlib.util import find_spec
from typing import Any

from redyard.errors import MissingExtra

EXTRAS = {
    "apprise": "alerts",
    **dict.fromkeys(("cryptography", "psutil", "starlette", "uvicorn", "zstandard"), "addon"),
}
"""Packages that are not part of the plain install, and the extra that brings each."""


def load(module: str) -> Any:
    """Import a module, or raise MissingExtra where a package of an extra is not installed."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        package = (error.name or "").partition(".")[0]
        if package not in EXTRAS:
            raise
        raise MissingExtra(extra=EXTRAS[package], package=package) from None


def require(extra: str) -> None:
    """Raise MissingExtra unless every package of an extra is installed; nothing is imported."""
    for package in (name for name, its in EXTRAS.items() if its == extra):
        if find_spec(package) is None:
            raise MissingExtra(extra=extra, package=package)
