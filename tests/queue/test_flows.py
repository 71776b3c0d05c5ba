"""Trees of jobs: children first, their results, their failures."""

import pytest

from redyard import Queue, Redis, Worker
from redyard.errors import BadFlow, JobFailed, WaitForChildren
from redyard.queue.flows import Flow, nodes
from tests.support.queues import state_is
from tests.support.wait import until
from tests.support.workers import echo, running


async def add_up(job):
    """Return the sum of the children's results, or the job's own data."""
    values = await job.children_values()
    return sum(values.values()) if values else job.data


async def test_a_parent_runs_when_its_children_have_completed(redis):
    """It reads their results; a tree may have several floors."""
    queue = Queue(redis, "q", remove_on_complete=False)
    leaves = [Flow("leaf", n) for n in (1, 2, 3)]
    tree = Flow("root", children=[Flow("branch", children=leaves), Flow("leaf", 10)])
    async with running(Worker(queue, add_up)):
        root = await queue.add_flow(tree)

        assert 16 == await root.result(5)


async def test_a_parent_waits_for_its_children(redis):
    """It is counted as such, and knows of no state before."""
    queue = Queue(redis, "q")
    root = await queue.add_flow(Flow("root", children=[Flow("leaf", delay=60)]))

    assert "waiting-children" == await root.state()
    assert {"waiting-children": 1, "delayed": 1} == {state: n for state, n in (await queue.counts()).items() if n}


async def test_children_may_be_in_other_queues(redis):
    """Each has its own worker and its own defaults."""
    cooks, waiters = Queue(redis, "cooks"), Queue(redis, "waiters", attempts=1)
    async with running(Worker(cooks, add_up), Worker(waiters, add_up)):
        root = await waiters.add_flow(Flow("serve", children=[Flow("cook", 5, queue=cooks), Flow("lay", 1)]))

        assert 6 == await root.result(5)


async def failing(job):
    if job.name == "bad":
        raise ValueError("no luck")
    return await add_up(job)


@pytest.mark.parametrize("rule", ["ignore", "remove"])
async def test_a_parent_runs_although_a_child_failed(redis, rule):
    """When the child says so; an ignored failure can be read."""
    queue = Queue(redis, "q", attempts=1, remove_on_complete=False)
    flow = Flow("root", children=[Flow("bad", on_failure=rule), Flow("good", 2)])
    async with running(Worker(queue, failing)):
        root = await queue.add_flow(flow)
        assert 2 == await root.result(5)

    failures = await root.children_failures()
    assert (["no luck"] if rule == "ignore" else []) == list(failures.values())


async def test_a_parent_goes_on_at_once_when_a_child_failed(redis):
    """It does not wait for the others, which are still to come."""
    queue = Queue(redis, "q", attempts=1)
    flow = Flow("root", 7, children=[Flow("bad", on_failure="continue"), Flow("late", delay=60)])

    async def handle(job):
        return 7 if job.name == "root" else await failing(job)

    async with running(Worker(queue, handle)):
        root = await queue.add_flow(flow)
        with pytest.raises(JobFailed, match="children"):
            await root.result(5)


async def test_a_parent_fails_with_its_child(redis):
    """Without being run, and so does the parent's parent, when the children say so."""
    queue, ran = Queue(redis, "q", attempts=1), []

    async def handle(job):
        ran.append(job.name)
        return await failing(job)

    flow = Flow("root", children=[Flow("branch", children=[Flow("bad", on_failure="fail")], on_failure="fail")])
    async with running(Worker(queue, handle)):
        root = await queue.add_flow(flow)
        with pytest.raises(JobFailed, match="failed"):
            await root.result(5)

    assert ["bad"] == ran


async def test_a_handler_may_add_children_and_wait_for_them(redis):
    """The job is put aside, holds no slot meanwhile, and runs again with the children's results."""
    queue = Queue(redis, "q", remove_on_complete=False)

    async def handle(job):
        if job.name != "root":
            return job.data
        if not (values := await job.children_values()):
            await job.add_child("leaf", 4)
            raise WaitForChildren
        return sum(values.values())

    async with running(Worker(queue, handle, concurrency=1)):
        root = await queue.add("root")

        assert 4 == await root.result(5)
    assert 0 == (await queue.get(root.id)).stalls


async def test_a_job_with_open_children_does_not_complete(redis):
    """To return before they have ended is a mistake that the job's failure names."""
    queue = Queue(redis, "q", attempts=1)

    async def handle(job):
        await job.add_child("leaf", delay=60)

    async with running(Worker(queue, handle)):
        root = await queue.add("root")
        with pytest.raises(JobFailed, match="children that have not ended"):
            await root.result(5)


def test_a_cycle_is_refused():
    """Before anything is sent."""
    queue = Queue(Redis.from_url("redis://h"), "q")
    children = []
    flow = Flow("a", children=children)
    children.append(Flow("b", children=[flow]))

    with pytest.raises(BadFlow, match="its own descendant"):
        list(nodes(queue, flow))


@pytest.mark.parametrize(("parent", "child"), [("{one}a", "{two}b"), ("{one}a", "b"), ("a", "{one}b")])
def test_queues_of_several_slots_are_refused(parent, child):
    """A cluster could not move parent and child together."""
    redis = Redis.from_url("redis://h")
    flow = Flow("a", children=[Flow("b", queue=Queue(redis, child))])

    with pytest.raises(BadFlow, match="hash tag"):
        list(nodes(Queue(redis, parent), flow))


@pytest.mark.parametrize(
    "flow", [Flow("a", deduplication="x", children=[Flow("b")]), Flow("a", children=[Flow("b", deduplication="x")])]
)
def test_a_job_of_a_tree_cannot_be_dropped_for_another(flow):
    """Its parent or its children would wait for ever."""
    with pytest.raises(BadFlow, match="dropped"):
        list(nodes(Queue(Redis.from_url("redis://h"), "q"), flow))


async def test_a_child_of_a_parent_that_is_gone_is_refused(redis):
    """Nothing is added."""
    queue = Queue(redis, "q")
    root = await queue.add("root")
    await redis.delete(f"bull:q:{root.id}")
    with pytest.raises(BadFlow, match="does not exist"):
        await root.add_child("leaf")

    assert 1 == sum((await queue.counts()).values())


async def test_a_tree_is_added_although_the_server_forgot_the_scripts(redis):
    """In a transaction it is too late to send them."""
    queue = Queue(redis, "q")
    await redis.script_flush()
    async with running(Worker(queue, add_up)):
        root = await queue.add_flow(Flow("root", children=[Flow("leaf", 3)]))

        assert 3 == await root.result(5)


async def test_a_flow_without_children_is_a_job(redis):
    """A program need not ask how many there are."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, echo)):
        job = await queue.add_flow(Flow("a", 1))
        await until(lambda: state_is(job, "completed"))


async def test_a_child_that_had_completed_before_counts_as_such(redis):
    """The parent has its result, and still waits for the others."""
    queue = Queue(redis, "q", remove_on_complete=False)
    async with running(Worker(queue, add_up)):
        old = await queue.add("leaf", 5, job_id="old")
        await old.result(5)
        root = await queue.add_flow(Flow("root", children=[Flow("leaf", 5, job_id="old"), Flow("leaf", 2, delay=0.2)]))

        assert 7 == await root.result(5)
