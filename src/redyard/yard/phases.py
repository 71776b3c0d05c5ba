"""The phases of an instance, and every way from one to another: a table that the yard's loop obeys.

A rule says: when this is wanted, in these phases, with a process that lives or not and that answers or not, go to that
phase, do this, and give that reason. The first rule that fits holds. Nothing else moves an instance.
"""

from enum import Enum, StrEnum
from typing import NamedTuple


class Phase(StrEnum):
    """Where an instance is."""

    STOPPED = "stopped"
    STARTING = "starting"
    LOADING = "loading"
    RUNNING = "running"
    SILENT = "silent"
    BACKOFF = "backoff"
    STOPPING = "stopping"
    FAILED = "failed"


MEANINGS = {
    Phase.STOPPED: "No engine runs, as is wanted.",
    Phase.STARTING: "The engine's process runs and has not answered yet.",
    Phase.LOADING: "The engine reads its data from the disk.",
    Phase.RUNNING: "The engine answers.",
    Phase.SILENT: "The engine's process runs and does not answer.",
    Phase.BACKOFF: "The engine ended by itself and will be started again soon.",
    Phase.STOPPING: "The engine was asked to end; a store saves first.",
    Phase.FAILED: "The engine ended too often; it stands still until `redyard start`.",
}


class Answer(Enum):
    """What an engine says to PING."""

    NONE = "none"
    LOADING = "loading"
    PONG = "pong"


class Action(Enum):
    """What the loop does on the way to a phase."""

    WAIT = "wait"
    SPAWN = "spawn"
    END = "end"
    COUNT_CRASH = "count the crash"


class Rule(NamedTuple):
    """A row: the condition (None fits all), where it leads, what is done, and the reason that is logged."""

    wanted: str | None
    phases: frozenset[Phase]
    alive: bool
    answer: Answer | None
    due: bool | None
    to: Phase
    action: Action
    reason: str


ALL = frozenset(Phase)
UP = frozenset({Phase.STARTING, Phase.LOADING, Phase.RUNNING, Phase.SILENT})
DOWN = frozenset({Phase.STOPPED, Phase.STOPPING})
STOPPING = frozenset({Phase.STOPPING})
STAYING = ALL - STOPPING
BACKOFF = frozenset({Phase.BACKOFF})

RULES = (
    # wanted, in phases, alive, answer, due -> phase, action, reason
    Rule("stopped", ALL, False, None, None, Phase.STOPPED, Action.WAIT, "it was stopped"),
    Rule("stopped", ALL, True, None, None, Phase.STOPPING, Action.END, "it was asked to end"),
    Rule("running", STAYING, True, Answer.PONG, None, Phase.RUNNING, Action.WAIT, "it answers"),
    Rule("running", STAYING, True, Answer.LOADING, None, Phase.LOADING, Action.WAIT, "it says that it reads its data"),
    Rule("running", STAYING, True, Answer.NONE, True, Phase.SILENT, Action.WAIT, "it lives and does not answer"),
    Rule(
        "running", STOPPING, True, Answer.PONG, True, Phase.RUNNING, Action.WAIT, "it did not end, and is wanted again"
    ),
    Rule("running", UP, False, None, None, Phase.BACKOFF, Action.COUNT_CRASH, "its process ended by itself"),
    Rule("running", DOWN, False, None, None, Phase.STARTING, Action.SPAWN, "it is wanted"),
    Rule("running", BACKOFF, False, None, True, Phase.STARTING, Action.SPAWN, "its pause after a crash is over"),
    Rule("attached", ALL, True, Answer.PONG, None, Phase.RUNNING, Action.WAIT, "it answers from where it is attached"),
    Rule("attached", ALL, True, Answer.LOADING, None, Phase.LOADING, Action.WAIT, "it reads its data where it runs"),
    Rule("attached", ALL, True, Answer.NONE, True, Phase.SILENT, Action.WAIT, "it does not answer where it runs"),
)
"""`due`: the phase's own time is over (the pause of a crash, the patience with silence or an end). Else all stays."""
