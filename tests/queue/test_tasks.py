"""Tasks: functions whose calls are jobs."""

import json
from datetime import UTC, datetime
from typing import Annotated
from uuid import UUID

import msgspec
import pytest

from redyard import Queue, Worker
from redyard.errors import BadArguments, BadTask, JobFailed
from redyard.queue import current_job
from redyard.queue.tasks import Tasks
from tests.support.workers import running


class Order(msgspec.Struct):
    """What an order has."""

    number: int
    at: datetime


@pytest.fixture
def queue(redis):
    """A queue whose failed jobs are not tried again."""
    return Queue(redis, "q", attempts=1)


async def test_a_call_becomes_a_job_and_its_result_comes_back(queue):
    """By position and by name; defaults are the function's own."""

    @queue.job
    async def add(a: int, b: int = 10, *, c: int = 100) -> int:
        return a + b + c

    async with running(Worker(queue)):
        results = [
            await (await job).result(5) for job in (add.enqueue(1), add.enqueue(1, 2), add.enqueue(a=1, b=2, c=3))
        ]

    assert [111, 103, 6] == results


async def test_arguments_are_what_the_annotations_say(queue):
    """Dates, ids, structs and keys come as their types, though JSON knows none of them."""
    seen = []

    @queue.job
    async def take(when: datetime, order: Order, who: UUID, names: dict[int, str], free=None) -> None:
        seen.append((when, order, who, names, free))

    now = datetime(2026, 11, 23, 12, 0, tzinfo=UTC)
    who = UUID("76a8e2fd-9018-4b53-97ef-28255370ae8c")
    async with running(Worker(queue)):
        await (await take.enqueue(now, Order(7, now), who, {1: "a"}, [1])).result(5)

    assert [(now, Order(7, now), who, {1: "a"}, [1])] == seen


async def test_the_data_are_an_object_by_the_parameters_names(queue):
    """So that a service in another language can add the same job."""

    @queue.job
    async def send(to: str, copies: int = 1) -> str:
        return f"{to} {copies}"

    job = await send.enqueue("ada", copies=2)

    assert {"to": "ada", "copies": 2} == json.loads((await queue.get(job.id)).fields[b"data"])
    async with running(Worker(queue)):
        assert "bob 1" == await (await queue.add("send", {"to": "bob"})).result(5)


async def test_called_it_is_the_function_itself(queue):
    """Here and now, without Redis."""

    @queue.job
    def double(n: int) -> int:
        """Twice as much."""
        return 2 * n

    assert 4 == double(2)
    assert ("double", "Twice as much.") == (double.__name__, double.__doc__)


@pytest.mark.parametrize(
    ("args", "options", "reason"),
    [
        ((), {}, "missing a required argument: 'n'"),
        ((1, 2), {}, "too many positional arguments"),
        ((1,), {"x": 2}, "unexpected keyword argument 'x'"),
        (("one",), {}, "Expected `int`, got `str`"),
        ((-1,), {}, "Expected `int` >= 0"),
    ],
)
async def test_a_call_that_cannot_work_is_refused_before_it_is_sent(queue, args, options, reason):
    """By number, name, type and bounds; nothing is added."""

    @queue.job
    async def count(n: Annotated[int, msgspec.Meta(ge=0)]) -> None: ...

    with pytest.raises(BadArguments, match=reason):
        await count.enqueue(*args, **options)
    assert 0 == sum((await queue.counts()).values())


async def test_a_job_with_wrong_data_fails_at_once(redis):
    """Another attempt would find the same data."""
    queue = Queue(redis, "q", attempts=5)

    @queue.job
    async def count(n: int) -> None: ...

    async with running(Worker(queue)):
        for data in ({"n": "x"}, {}, [1], {"n": 1, "m": 2}):
            with pytest.raises(JobFailed, match="the task count cannot have these arguments"):
                await (await queue.add("count", data)).result(5)


async def test_a_name_that_nobody_knows_fails_its_job_alone(queue):
    """With the name; the worker goes on."""

    @queue.job
    async def known() -> str:
        return "done"

    async with running(Worker(queue)):
        job = await queue.add("unknown")
        with pytest.raises(JobFailed, match="nobody does jobs named 'unknown' in the queue 'q'"):
            await job.result(5)
        assert "done" == await (await known.enqueue()).result(5)


async def test_options_are_those_of_add(queue):
    """Of the task, and of one call; the call's win, and the task stays as it was."""

    @queue.job(name="mail.send", attempts=7, priority=5)
    async def send() -> None: ...

    one, other = await send.options(delay=60, priority=1).enqueue(), await send.enqueue()

    assert ("mail.send", 7, 1, 60) == (one.name, one.opts["attempts"], one.priority, one.delay)
    assert (7, 5, 0) == (other.opts["attempts"], other.priority, other.delay)


async def test_the_job_is_known_while_it_runs(queue):
    """In async functions and in threads; not elsewhere."""

    @queue.job
    async def here() -> str:
        await current_job().log("seen")
        return current_job().id

    @queue.job
    def there() -> str:
        return current_job().id

    async with running(Worker(queue)):
        for task in (here, there):
            job = await task.enqueue()
            assert job.id == await job.result(5)
    with pytest.raises(RuntimeError, match="no job runs here"):
        current_job()


def loose(*numbers: int) -> None: ...


def unreadable(n: Tasks) -> None: ...


@pytest.mark.parametrize(
    ("function", "options", "reason"),
    [
        (loose, {}, r"parameter \*numbers: int has no name"),
        (unreadable, {}, "n is a Tasks"),
        (lambda: None, {"pool": "process", "name": "x"}, "another process cannot find"),
        (3, {"name": "z"}, "no function"),
        (loose, {"pool": "fork"}, "no pool 'fork'"),
    ],
)
def test_a_function_that_cannot_be_a_task_is_refused_where_it_is_written(function, options, reason):
    """With the reason."""
    with pytest.raises(BadTask, match=reason):
        Tasks().job(**options)(function)


def test_two_functions_cannot_have_one_name():
    """The second one is refused; the same one again, as after a reload, is not."""
    tasks = Tasks()
    tasks.job(name="twice")(test_a_name_that_nobody_knows_fails_its_job_alone)
    tasks.job(name="twice")(test_a_name_that_nobody_knows_fails_its_job_alone)
    with pytest.raises(BadTask, match="has that name already"):
        tasks.job(name="twice")(test_options_are_those_of_add)


def test_a_type_that_is_defined_further_down_is_found_later():
    """Annotations may name what comes after the task."""
    tasks = Tasks()

    @tasks.job
    def take(item: "Later") -> None: ...

    assert {"item": {"n": 1}} == tasks.tasks["take"].arguments({"n": 1})


class Later(msgspec.Struct):
    """Defined after the task."""

    n: int
