"""The yard that the commands speak to: found by the environment and the working directory."""

import json
import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from redyard.cli.lazy import require
from redyard.cli.output import Output
from redyard.errors import RedyardError, YardNotRunning, YardNotWritable
from redyard.settings import Settings
from redyard.yard.calls import Answer, Calls
from redyard.yard.home import Home, find_home
from redyard.yard.launch import launch


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


def names() -> list[str]:
    """Return every add-on and instance of this directory, for a shell to complete: from files, no yard is asked."""
    with suppress(RedyardError, OSError, ValueError):
        specs = [json.loads(path.read_text()) for path in home().instances.glob("*/spec.json")]
        return sorted({str(spec[field]) for spec in specs for field in ("addon", "name")})
    return []


def ask(out: Output, question: Callable[[Calls], Answer]) -> Answer:
    """Ask the yard; where none runs, start one and ask again."""
    door = calls()
    try:
        return question(door)
    except YardNotRunning:
        require("addon")
        out.say(f"No yard was running in {door.home.path}: starting one.")
        launch(door.home)
        return question(door)
