"""The table of phases is complete, reachable, without contradictions, and sane in every case."""

from itertools import product
from typing import NamedTuple

import pytest

from redyard.yard.phases import MEANINGS, RULES, UP, Action, Answer, Phase, Rule


class Case(NamedTuple):
    """Everything that the rules look at."""

    wanted: str
    phase: Phase
    alive: bool
    answer: Answer
    due: bool


BOTH = (True, False)
CASES = [
    Case(wanted, phase, alive, answer, due)
    for wanted, phase, alive, answer, due in product(("running", "stopped", "attached"), Phase, BOTH, Answer, BOTH)
    if alive or (answer is Answer.NONE and wanted != "attached")
]
"""Every case that can be: a process that has ended answers nothing; of an attached one no process is known."""


def fitting(case: Case) -> list[Rule]:
    """Return the rules that fit a case."""
    return [
        rule
        for rule in RULES
        if rule.wanted in {None, case.wanted}
        and case.phase in rule.phases
        and rule.alive == case.alive
        and rule.answer in {None, case.answer}
        and rule.due in {None, case.due}
    ]


def step(case: Case) -> tuple[Phase, Action]:
    """Return where a case leads and what is done."""
    rules = fitting(case)
    return (rules[0].to, rules[0].action) if rules else (case.phase, Action.WAIT)


def label(case: Case) -> str:
    """Name a case."""
    return f"{case.wanted}-{case.phase}-{'alive' if case.alive else 'dead'}-{case.answer.value}-{case.due}"


def cases(**wanted: object) -> pytest.MarkDecorator:
    """Run a test for each case that has these values."""
    chosen = [case for case in CASES if all(getattr(case, name) == value for name, value in wanted.items())]
    return pytest.mark.parametrize("case", chosen, ids=label)


def test_each_phase_has_a_meaning():
    """Every phase is explained in a sentence."""
    assert set(Phase) == set(MEANINGS)
    assert [] == [text for text in MEANINGS.values() if not text.endswith(".")]


def test_each_rule_has_a_reason_of_its_own():
    """Every rule says why, so that the log tells them apart."""
    assert len(RULES) == len({rule.reason for rule in RULES if rule.reason})


def test_no_two_rules_contradict():
    """In no case do two rules fit: the order of the table means nothing."""
    assert [] == [case for case in CASES if len(fitting(case)) > 1]


def test_each_rule_is_used():
    """Every rule fits some case."""
    assert set(RULES) == {rule for case in CASES for rule in fitting(case)}


def test_each_phase_is_reached():
    """From a new instance every phase is reached; a crash too many leads to the failed one."""
    reached = {Phase.STOPPED}
    while True:
        ways = {step(case) for case in CASES if case.phase in reached}
        more = {to for to, _ in ways} | ({Phase.FAILED} if any(do is Action.COUNT_CRASH for _, do in ways) else set())
        if more <= reached:
            break
        reached |= more

    assert set(Phase) == reached


@cases(wanted="stopped", alive=True)
def test_unwanted_engine_is_ended(case):
    """An engine that is not wanted is asked to end, wherever it is."""
    assert (Phase.STOPPING, Action.END) == step(case)


@cases(wanted="stopped", alive=False)
def test_unwanted_instance_rests(case):
    """An instance that is not wanted and has no process is stopped."""
    assert (Phase.STOPPED, Action.WAIT) == step(case)


@cases(wanted="running", alive=True)
def test_wanted_engine_that_lives_is_only_watched(case):
    """An engine that is wanted and lives is neither started nor ended nor blamed; its phase is what it answers."""
    said = {Answer.PONG: Phase.RUNNING, Answer.LOADING: Phase.LOADING}
    silent = Phase.SILENT if case.due else case.phase
    ending = case.phase is Phase.STOPPING and not (case.due and case.answer is Answer.PONG)

    assert (Phase.STOPPING if ending else said.get(case.answer, silent), Action.WAIT) == step(case)


@cases(wanted="running", alive=False)
def test_wanted_engine_without_a_process(case):
    """A dead engine is counted once, started when its pause is over, and left alone when it has failed."""
    start, crash = (Phase.STARTING, Action.SPAWN), (Phase.BACKOFF, Action.COUNT_CRASH)
    wanted = {
        Phase.STOPPED: start,
        Phase.STOPPING: start,
        Phase.BACKOFF: start if case.due else (Phase.BACKOFF, Action.WAIT),
        Phase.FAILED: (Phase.FAILED, Action.WAIT),
        **dict.fromkeys(UP, crash),
    }

    assert wanted[case.phase] == step(case)
