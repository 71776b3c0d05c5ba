"""What is done next with an instance, for every sequence of looks."""

import pytest
from hypothesis import given, strategies as st

from redyard.yard.phases import UP, Action, Answer, Phase
from redyard.yard.reconcile import BEAT, IDLE, PATIENCE, PAUSES, STEADY, Course, Seen, Step, reconcile

NONE, LOADING, PONG = Answer.NONE, Answer.LOADING, Answer.PONG
DEAD, ALIVE = False, True
TICK = 0.001
"""Seconds that a look comes late, as it always does."""

EXAMPLES = [
    # wanted, phase, seconds in it, alive, answer -> (phase, action)
    ("running", Phase.STOPPED, 0.0, DEAD, NONE, (Phase.STARTING, Action.SPAWN)),
    ("running", Phase.STARTING, 0.1, ALIVE, NONE, (Phase.STARTING, Action.WAIT)),
    ("running", Phase.STARTING, 0.1, ALIVE, LOADING, (Phase.LOADING, Action.WAIT)),
    ("running", Phase.STARTING, 0.1, ALIVE, PONG, (Phase.RUNNING, Action.WAIT)),
    ("running", Phase.STARTING, PATIENCE, ALIVE, NONE, (Phase.SILENT, Action.WAIT)),
    ("running", Phase.STARTING, 0.1, DEAD, NONE, (Phase.BACKOFF, Action.COUNT_CRASH)),
    ("running", Phase.LOADING, 100.0, ALIVE, LOADING, (Phase.LOADING, Action.WAIT)),
    ("running", Phase.LOADING, 100.0, ALIVE, PONG, (Phase.RUNNING, Action.WAIT)),
    ("running", Phase.RUNNING, 1000.0, ALIVE, PONG, (Phase.RUNNING, Action.WAIT)),
    ("running", Phase.RUNNING, 1000.0, DEAD, NONE, (Phase.BACKOFF, Action.COUNT_CRASH)),
    ("running", Phase.SILENT, 1000.0, ALIVE, NONE, (Phase.SILENT, Action.WAIT)),
    ("running", Phase.SILENT, 1.0, ALIVE, PONG, (Phase.RUNNING, Action.WAIT)),
    ("running", Phase.STOPPING, 1.0, DEAD, NONE, (Phase.STARTING, Action.SPAWN)),
    ("running", Phase.FAILED, 1000.0, DEAD, NONE, (Phase.FAILED, Action.WAIT)),
    ("stopped", Phase.RUNNING, 1.0, ALIVE, PONG, (Phase.STOPPING, Action.END)),
    ("stopped", Phase.STOPPING, 1.0, ALIVE, NONE, (Phase.STOPPING, Action.END)),
    ("stopped", Phase.STOPPING, 1.0, DEAD, NONE, (Phase.STOPPED, Action.WAIT)),
    ("stopped", Phase.BACKOFF, 0.0, DEAD, NONE, (Phase.STOPPED, Action.WAIT)),
    ("stopped", Phase.FAILED, 0.0, DEAD, NONE, (Phase.STOPPED, Action.WAIT)),
]


class Life:
    """An instance whose looks are told: the loop's part in steps, without a loop."""

    def __init__(self) -> None:
        self.now = 0.0
        self.alive = False
        self.answered_at = 0.0
        self.course = Course(Phase.STOPPED, 0.0, 0)

    def look(self, answer: Answer = NONE, *, after: float = 0.0, wanted: str = "running", starts: bool = True) -> Step:
        """Look once, and do what the step says; `starts`: whether a spawn gives a process."""
        self.now += after
        answer = answer if self.alive else NONE
        if answer is not NONE:
            self.answered_at = self.now
        step = reconcile(wanted, self.course, Seen(self.now, self.alive, answer, self.answered_at))
        since = self.course.since if step.phase is self.course.phase else self.now
        self.course = Course(step.phase, since, step.crashes)
        if step.action is Action.SPAWN:
            self.alive = starts
        return step

    def crash(self) -> Step:
        """Let the process end, look at it, and wait out the pause."""
        self.alive = False
        step = self.look()
        if step.phase is Phase.BACKOFF:
            self.look(after=step.look_again + TICK)
        return step


@pytest.mark.parametrize(("wanted", "phase", "seconds", "alive", "answer", "expected"), EXAMPLES)
def test_examples(wanted, phase, seconds, alive, answer, expected):
    """The examples of the table, one by one."""
    step = reconcile(wanted, Course(phase, 100.0, 0), Seen(100.0 + seconds, alive, answer, 100.0))

    assert expected == (step.phase, step.action)


def test_silence_counts_from_the_last_answer():
    """An engine is silent when its last answer is PATIENCE ago, however long it runs."""
    course = Course(Phase.RUNNING, 0.0, 0)
    phases = [reconcile("running", course, Seen(now, ALIVE, NONE, 100.0)).phase for now in (102.9, 103.0)]

    assert [Phase.RUNNING, Phase.SILENT] == phases


@pytest.mark.parametrize("count", range(1, len(PAUSES) + 1))
def test_pause_after_each_crash(count):
    """After the n-th crash in a row the pause is the n-th of the table: not shorter, and the look comes on time."""
    life = Life()
    life.look()
    for _ in range(count - 1):
        life.crash()
    life.alive = False
    crash = life.look()
    pause = PAUSES[count - 1]
    early = life.look(after=pause / 2)
    last = life.look(after=pause / 2 + TICK) if pause else early

    assert (count, pause, Action.SPAWN) == (crash.crashes, crash.look_again, last.action)
    assert not pause or (Action.WAIT, pytest.approx(pause / 2)) == (early.action, early.look_again)


def test_pauses_grow():
    """Each pause is at least as long as the one before, and the first start again is at once."""
    assert (0.0, sorted(PAUSES)) == (PAUSES[0], list(PAUSES))


def test_failed_after_too_many_crashes():
    """One crash more than there are pauses, and the instance has failed, says how often, and stays so."""
    life = Life()
    life.look()
    phases = [life.crash().phase for _ in range(len(PAUSES))]
    last = life.crash()

    assert [Phase.BACKOFF] * len(PAUSES) == phases
    assert (Phase.FAILED, "its process ended 10 times in a row") == (last.phase, last.reason)
    assert (Phase.FAILED, Action.WAIT) == life.look(after=10_000.0)[:2]


def test_start_that_fails_counts_as_a_crash():
    """An engine that cannot be started at all is given up like one that crashes."""
    life = Life()
    for _ in range(1000):
        step = life.look(after=IDLE * 20, starts=False)

    assert (Phase.FAILED, len(PAUSES) + 1) == (step.phase, step.crashes)


@pytest.mark.parametrize(("seconds", "crashes"), [(STEADY - 0.1, 3), (STEADY, 0)])
def test_crashes_are_forgotten(seconds, crashes):
    """An engine that has run for STEADY has its earlier crashes forgotten, not sooner."""
    step = reconcile("running", Course(Phase.RUNNING, 0.0, 3), Seen(seconds, ALIVE, PONG, seconds))

    assert crashes == step.crashes


def test_crash_after_a_steady_run_is_the_first():
    """The crash of an engine that ran long is the first again: it is started at once."""
    step = reconcile("running", Course(Phase.RUNNING, 0.0, 9), Seen(STEADY, DEAD, NONE, 0.0))

    assert (Phase.BACKOFF, 1, PAUSES[0]) == (step.phase, step.crashes, step.look_again)


def test_loading_is_not_steady():
    """A long load is no steady run: an engine that dies at the end of each load is given up."""
    step = reconcile("running", Course(Phase.LOADING, 0.0, 9), Seen(STEADY * 10, DEAD, NONE, 0.0))

    assert Phase.FAILED is step.phase


@pytest.mark.parametrize("phase", [Phase.STARTING, Phase.LOADING, Phase.SILENT, Phase.STOPPING])
def test_phases_that_pass_are_looked_at_often(phase):
    """What will change soon is looked at more often than what rests."""
    assert 0 < BEAT[phase] < IDLE


LOOKS = st.lists(
    st.tuples(
        st.sampled_from(["running", "running", "stopped"]),
        st.sampled_from([NONE, LOADING, PONG, PONG]),
        st.sampled_from(["goes on", "goes on", "dies"]),
        st.booleans(),
        st.floats(0, 30),
    ),
    max_size=80,
)


@given(LOOKS)
def test_any_sequence_of_looks(looks):
    """Whatever happens: no start beside a living engine or an unwanted one, and no unwanted engine goes on unasked."""
    life = Life()
    in_a_row = 0
    for wanted, answer, fate, starts, after in looks:
        life.alive = life.alive and fate == "goes on"
        alive, before = life.alive, life.course
        step = life.look(answer, after=after, wanted=wanted, starts=starts)
        steady = before.phase is Phase.RUNNING and life.now - before.since >= STEADY
        in_a_row = (0 if steady else in_a_row) + (step.action is Action.COUNT_CRASH)

        assert step.action is not Action.SPAWN or (wanted == "running" and not alive)
        assert (step.action is Action.END) == (wanted == "stopped" and alive)
        assert step.action is not Action.COUNT_CRASH or (before.phase in UP and not alive and wanted == "running")
        assert in_a_row == step.crashes
        assert (step.phase is Phase.FAILED) <= (before.phase is Phase.FAILED or in_a_row == len(PAUSES) + 1)
        assert 0 <= step.look_again <= max(PAUSES)
        assert step.reason or step.phase is before.phase


COURSES = st.builds(Course, st.sampled_from(Phase), st.floats(0, 1e6), st.integers(1, len(PAUSES)))
SIGHTS = st.builds(Seen, st.floats(0, 2e6), st.booleans(), st.sampled_from(Answer), st.floats(0, 2e6))


@given(st.sampled_from(["running", "stopped"]), COURSES, SIGHTS)
def test_any_look(wanted, course, seen):
    """Even what cannot be, such as a clock that went back, leads to a sane step."""
    step = reconcile(wanted, course, seen)

    assert step.action is not Action.SPAWN or (wanted == "running" and not seen.alive)
    assert (step.action is Action.END) == (wanted == "stopped" and seen.alive)
    assert step.look_again >= 0


@given(LOOKS)
def test_same_looks_same_steps(looks):
    """The step depends on nothing but what is wanted, what is seen and the time."""

    def steps() -> list[Step]:
        life = Life()
        return [life.look(answer, after=after, wanted=wanted) for wanted, answer, _, _, after in looks]

    assert steps() == steps()
