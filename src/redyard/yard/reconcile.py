"""What to do next with an instance: a pure function of what is wanted, what is seen, and the time.

The time comes in; nothing here looks at a clock, a process or a file.
"""

from typing import NamedTuple

from redyard.yard.phases import RULES, Action, Answer, Phase, Rule

PAUSES = (0.0, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)
"""Seconds of pause after the first, second ... crash in a row; one crash more than this and the instance has failed."""

STEADY = 10.0
"""Seconds of running after which earlier crashes are forgotten."""

PATIENCE = 3.0
"""Seconds without an answer after which a living engine is called silent."""

LAST_WORDS = 10.0
"""Seconds after which an engine that was asked to end, and answers, is believed to go on: perhaps it cannot save."""

BEAT = {Phase.STARTING: 0.003, Phase.LOADING: 0.1, Phase.SILENT: 0.5, Phase.STOPPING: 0.2}
"""Seconds until the next look, by phase; else IDLE. The end of a process is seen at once in every phase."""

IDLE = 1.0


class Seen(NamedTuple):
    """What a look at an instance showed, and when (seconds of a steady clock)."""

    now: float
    alive: bool
    answer: Answer
    answered_at: float


class Course(NamedTuple):
    """Where an instance is on its way: its phase, since when, and its crashes in a row."""

    phase: Phase
    since: float
    crashes: int


class Step(NamedTuple):
    """What to do next: the phase to enter, the action, the reason, the crashes counted, and when to look again."""

    phase: Phase
    action: Action
    reason: str
    crashes: int
    look_again: float


def reconcile(wanted: str, course: Course, seen: Seen) -> Step:
    """Return the next step of an instance."""
    rule = next((rule for rule in RULES if _fits(rule, wanted, course, seen)), None)
    crashes = _crashes(course, seen)
    if rule is None:
        return Step(course.phase, Action.WAIT, "", crashes, _next_look(course, seen, crashes))
    if rule.action is Action.COUNT_CRASH:
        crashes += 1
        if crashes > len(PAUSES):
            return Step(Phase.FAILED, rule.action, f"its process ended {crashes} times in a row", crashes, IDLE)
        return Step(rule.to, rule.action, rule.reason, crashes, PAUSES[crashes - 1])
    return Step(rule.to, rule.action, rule.reason, crashes, BEAT.get(rule.to, IDLE))


def _fits(rule: Rule, wanted: str, course: Course, seen: Seen) -> bool:
    return (
        rule.wanted in {None, wanted}
        and course.phase in rule.phases
        and rule.alive == seen.alive
        and rule.answer in {None, seen.answer}
        and rule.due in {None, _due(course, seen)}
    )


def _due(course: Course, seen: Seen) -> bool:
    if course.phase is Phase.BACKOFF:
        return seen.now - course.since >= PAUSES[course.crashes - 1]
    if course.phase is Phase.STOPPING:
        return seen.now - course.since >= LAST_WORDS
    return seen.now - max(course.since, seen.answered_at) >= PATIENCE


def _crashes(course: Course, seen: Seen) -> int:
    steady = course.phase is Phase.RUNNING and seen.now - course.since >= STEADY
    return 0 if steady else course.crashes


def _next_look(course: Course, seen: Seen, crashes: int) -> float:
    if course.phase is Phase.BACKOFF:
        return max(0.0, PAUSES[crashes - 1] - (seen.now - course.since))
    return BEAT.get(course.phase, IDLE)
