"""What a job's options say."""

import msgspec
import pytest

from redyard.errors import BadKey, InvalidValue
from redyard.queue.rules import Backoff, Deduplication, Keep, kept, pause_before, rules_of, stored


def test_options_are_written_as_bullmq_writes_them():
    """Node workers obey them."""
    expected = {
        "attempts": 3,
        "backoff": {"type": "exponential", "delay": 2000},
        "removeOnComplete": {"count": 100, "age": 3600},
        "removeOnFail": True,
        "delay": 1500,
        "priority": 4,
        "lifo": True,
        "kl": 10,
        "idof": True,
        "deadline": 60_000,
        "jobId": "once",
        "de": {"id": "like", "ttl": 5000, "extend": True, "replace": True},
    }

    assert expected == stored(
        {
            "attempts": 3,
            "backoff": 2.0,
            "remove_on_complete": Keep(count=100, age=3600),
            "remove_on_fail": True,
            "delay": 1.5,
            "priority": 4,
            "lifo": True,
            "keep_logs": 10,
            "on_failure": "ignore",
            "deadline": 60,
            "job_id": "once",
            "deduplication": Deduplication("like", ttl=5, extend=True, replace=True),
        }
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (Backoff("fixed", 5, jitter=0.5), {"type": "fixed", "delay": 5000, "jitter": 0.5}),
        (Backoff("mine"), {"type": "mine", "delay": 1000}),
        (0, None),
    ],
)
def test_the_kinds_of_backoff(value, expected):
    """A number is the first pause of an exponential one; none at all is no option."""
    assert expected == stored({"backoff": value})["backoff"]


@pytest.mark.parametrize(
    "options",
    [
        {"delay": -1},
        {"delay": float("inf")},
        {"delay": float("nan")},
        {"priority": -1},
        {"priority": 2**21},
        {"priority": 1.5},
        {"attempts": 0},
        {"backoff": -1},
        {"backoff": Backoff(jitter=2)},
        {"deadline": 0},
    ],
)
def test_values_out_of_range_are_refused(options):
    """The error says what may be written."""
    with pytest.raises(InvalidValue):
        stored(options)


@pytest.mark.parametrize("job_id", ["7", "", "a:b", "wait", "meta", "repeat", "stalled", "limiter", "redyard-workers"])
def test_an_id_that_cannot_be_one_is_refused(job_id):
    """Numbers are the queue's own, and so are the names of its keys."""
    with pytest.raises(BadKey):
        stored({"job_id": job_id})


def test_an_unknown_option_is_refused():
    """With the names of those that there are."""
    with pytest.raises(TypeError, match=r"'dealy'.*delay"):
        stored({"dealy": 3})


@pytest.mark.parametrize(
    ("backoff", "pauses"),
    [
        ({"type": "exponential", "delay": 2000}, [2, 4, 8]),
        ({"type": "fixed", "delay": 1500}, [1.5, 1.5, 1.5]),
        ({"type": "mine", "delay": 1500}, [10, 20, 30]),
        (500, [0.5, 0.5, 0.5]),
        (None, [0, 0, 0]),
        ({}, [0, 0, 0]),
    ],
)
def test_the_pause_before_an_attempt(backoff, pauses):
    """Exponential backoff doubles from attempt to attempt; a kind that BullMQ has not is the worker's own."""
    assert pauses == [pause_before({"backoff": backoff}, made, lambda made: 10.0 * made) for made in (1, 2, 3)]


@pytest.mark.parametrize(("kind", "longest"), [("fixed", 2), ("exponential", 8)])
def test_jitter_makes_a_pause_shorter_by_its_part_at_most(kind, longest):
    """So that jobs that failed together do not come back together."""
    options = {"backoff": {"type": kind, "delay": 2000, "jitter": 0.25}}
    pauses = {pause_before(options, 3) for _ in range(100)}

    assert all(0.75 * longest <= pause <= longest for pause in pauses)
    assert len(pauses) > 50


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (100, {"count": 100}),
        (0, {"count": 0}),
        (True, {"count": 0}),
        (False, {"count": -1}),
        (None, {"count": -1}),
        ({"count": 5, "age": 60}, {"count": 5, "age": 60}),
        ({"age": 60}, {"age": 60}),
    ],
)
def test_how_many_finished_jobs_are_kept(rule, expected):
    """True keeps none and False all, as in BullMQ."""
    assert expected == kept(rule)


def test_what_a_worker_reads_of_a_jobs_options():
    """What Node writes, too; what is not said has BullMQ's defaults."""
    rules = rules_of(b'{"attempts":4,"deadline":1500,"removeOnFail":{"age":7},"fpof":true}')
    failed = msgspec.msgpack.decode(b"\x86" + rules.failed)

    assert (4, 1.5) == (rules.attempts, rules.deadline)
    assert {
        "keepJobs": {"age": 7}, "attempts": 4, "fpof": True, "cpof": False, "idof": False, "rdof": False
    } == failed  # fmt: skip
    assert (0, None) == rules_of(b"{}")[1:3]
