"""Errors of engines and of the machine they run on: programs, ports, moves, disk, memory, settings."""

from redyard.errors.base import RedyardError


class NoEngine(RedyardError):
    """No engine was found on this machine."""

    status = 30
    text = "no engine was found: {tried}"
    hint = "Install the embedded one: `pip install 'redyard[addon]'`; or name one in REDYARD_ENGINE."


class EngineUnusable(RedyardError):
    """The program named as the engine cannot be run, is no engine, or is too old."""

    status = 31
    text = "{path} cannot be the engine: {reason}"
    hint = "Redyard runs Valkey, and Redis from 7.0 on. Name another in REDYARD_ENGINE."


class EngineDied(RedyardError):
    """The engine ended while it started."""

    status = 32
    text = "the engine of {name} ended while it started; its last lines:\n{log}"
    hint = "Mend what the last line says, then `redyard start {name}`. The whole log: {path}"


class EngineSilent(RedyardError):
    """The engine runs but did not answer in time."""

    status = 33
    text = "the engine of {name} did not answer within {seconds:g} s"
    hint = "It may be loading a large file or be stopped: `redyard status`. Its log: {path}"


class DirectoryBusy(RedyardError):
    """Another process holds the lock of an engine's data directory."""

    status = 34
    text = "the directory {path} is in use by {holder}"
    hint = "One directory has one engine. End that process if it is yours, or wait until it has ended."


class EngineWillNotStop(RedyardError):
    """The engine was asked to stop and did not within the time."""

    status = 35
    text = "the engine of {name} (process {pid}) has not stopped within {seconds:g} s; its last lines:\n{log}"
    hint = "It saves before it ends and does not end when it cannot. Free disk space, then `redyard stop {name}`."


class PortInUse(RedyardError):
    """Another program listens on the port."""

    status = 36
    text = "port {port} of {name} is in use by another program"
    hint = "End that program (`lsof -i :{port}` names it) and start {name} again, or add it with another --port."


class NoPortFree(RedyardError):
    """Every port of the range is taken."""

    status = 37
    text = "no port of {first}-{last} is free"
    hint = "Name another range in REDYARD_PORTS, such as 18000-18999."


class NotRunning(RedyardError):
    """The instance's engine does not run."""

    status = 38
    text = "{name} does not run: it is {phase}"
    hint = "`redyard start {name}` starts it; `redyard info {name}` says why it stands still."


class MoveFailed(RedyardError):
    """A new engine could not take an old one's place; the old one serves on and nothing was lost."""

    status = 39
    text = "{name} was not moved: {reason}"
    hint = (
        "The old engine serves on, with all its data. Mend the reason and try again; {name}'s log is in `redyard info`."
    )


class PauseNeeded(RedyardError):
    """The new engine cannot follow the old one: it must read a copy of its log while nobody writes."""

    status = 46
    text = "{new} cannot follow {old}: writes to {name} would pause for about {seconds:.1f} s while it reads the log"
    hint = "If the app can bear that, add --pause. Reads go on meanwhile, and nothing is lost."


class DiskFull(RedyardError):
    """The disk has no room."""

    status = 40
    text = "no room on the disk for {path}"
    hint = "Free some space there, then try again. Nothing half-made was left behind."


class MissingExtra(RedyardError):
    """What was asked for needs packages that are not installed."""

    status = 41
    text = "this needs the extra {extra!r} ({package} is not installed)"
    hint = "Install it: `pip install 'redyard[{extra}]'`."


class CommandNotFound(RedyardError):
    """The command given to `redyard run` cannot be run."""

    status = 42
    text = "{command!r} cannot be run: {reason}"
    hint = "Check its name and your PATH: `redyard run -- COMMAND`."


class InvalidSetting(RedyardError):
    """A setting in the environment has a value that cannot be used."""

    status = 43
    text = "{name}={value!r} cannot be used: {reason}"
    hint = "Expected: {expected}."


class InvalidValue(RedyardError):
    """A size, time span or moment is written in a way that cannot be read."""

    status = 44
    text = "{value!r} is no {kind}"
    hint = "Write it like {example}."


class NoMemory(RedyardError):
    """The machine has not the memory or the disk for what was asked."""

    status = 45
    text = "{name} needs {needed} of {what} for this, and the machine has {free} free"
    hint = "Free some, or choose a smaller plan. `--dry-run` shows what would be needed."
