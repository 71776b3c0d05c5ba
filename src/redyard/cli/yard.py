"""The yard that the commands speak to: found by the environment and the working directory."""

import os
from pathlib import Path

from redyard.errors import YardNotWritable
from redyard.settings import Settings
from redyard.yard.calls import Calls
from redyard.yard.home import Home, find_home


def settings() -> Settings:
    """Read the settings from the environment."""
    return Settings.read(os.environ)


def home() -> Home:
    """Find the yard's directory; nothing is made."""
    try:
        here = Path.cwd()
    except FileNotFoundError:
        raise YardNotWritable(home=".redyard", reason="the working directory was removed") from None
    return find_home(settings(), here)


def calls() -> Calls:
    """Return the door to the running yard."""
    return Calls(home())
