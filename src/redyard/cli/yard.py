"""The yard that the commands speak to: found by the environment and the working directory."""

import os
from collections.abc import Callable
from pathlib import Path

from redyard.cli.lazy import require
from redyard.cli.output import Output
from redyard.errors import YardNotRunning, YardNotWritable
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
