"""What a job's options say."""

import pytest

from redyard.queue.rules import job_options, kept, pause_before


def test_options_are_written_as_bullmq_writes_them():
    """Node workers obey them."""
    expected = {
        "attempts": 3,
        "backoff": {"type": "exponential", "delay": 2000},
        "removeOnComplete": 100,
        "removeOnFail": True,
    }

    assert expected == job_options(attempts=3, backoff=2.0, keep_completed=100, keep_failed=True)


@pytest.mark.parametrize(
    ("backoff", "pauses"),
    [
        ({"type": "exponential", "delay": 2000}, [2, 4, 8]),
        ({"type": "fixed", "delay": 1500}, [1.5, 1.5, 1.5]),
        (500, [0.5, 0.5, 0.5]),
        (None, [0, 0, 0]),
        ({}, [0, 0, 0]),
    ],
)
def test_the_pause_before_an_attempt(backoff, pauses):
    """Exponential backoff doubles from attempt to attempt; the forms of Node are known."""
    assert pauses == [pause_before({"backoff": backoff}, made) for made in (1, 2, 3)]


@pytest.mark.parametrize(
    ("rule", "expected"),
    [(100, 100), (0, 0), (True, 0), (False, -1), (None, -1), ({"count": 5, "age": 60}, 5), ({"age": 60}, -1)],
)
def test_how_many_finished_jobs_are_kept(rule, expected):
    """True keeps none and False all, as in BullMQ."""
    assert expected == kept({"removeOnComplete": rule}, "completed")
    assert expected == kept({"removeOnFail": rule}, "failed")
