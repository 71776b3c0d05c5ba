"""How idle workers hear of jobs: the server takes them for who waits, and for nobody who has gone."""

from redyard import Queue, Worker
from tests.queue.test_exchange import calls
from tests.support.clients import client
from tests.support.proxy import DOWN, Proxy
from tests.support.queues import blocked, state_is
from tests.support.wait import until
from tests.support.workers import Gate, echo, running


async def at_the_bell(redis, workers=1):
    """Say whether so many workers wait, and have told that they live."""
    return (await blocked(redis), await redis.hlen("bull:q:redyard-workers")) == (workers, workers)


async def test_a_job_comes_to_an_idle_worker_without_another_question(server, redis):
    """Three scripts run: it is added, taken as it rings, and ended."""
    queue = Queue(redis, "q")
    async with running(Worker(queue, echo, concurrency=2, lock=60)):
        await queue.counts()
        await until(lambda: at_the_bell(redis))
        before = calls(server)
        job = await queue.add("a", 7)
        await until(lambda: ended(redis))

        assert 3 == calls(server) - before
    assert 7 == (await queue.get(job.id)).return_value


async def ended(redis):
    return await redis.zcard("bull:q:completed")


async def test_a_worker_that_is_woken_wakes_the_next(redis):
    """One ring for three jobs, and each of three workers has one at once."""
    queue, gate = Queue(redis, "q"), Gate()
    async with running(*(Worker(queue, gate, concurrency=1, lock=60, name=f"w{n}") for n in range(3))):
        await until(lambda: at_the_bell(redis, 3))
        await queue.add_bulk([("a", n) for n in range(3)])
        await until(lambda: len(gate.entered) == 3, timeout=3)
        gate.open.set()


async def test_nothing_is_taken_for_a_wait_whose_connection_only_the_server_thinks_open(server, redis):
    """What rings there rings again for the worker, which waits on a new connection; full memory does not hinder it."""
    queue = Queue(redis, "q")
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as far:
        async with running(Worker(Queue(far, "q"), echo, lock=60)):
            await until(lambda: at_the_bell(redis))
            server.admin("CONFIG", "SET", "maxmemory", 1)
            try:
                proxy.part()
                await until(lambda: two_wait(redis))
            finally:
                server.admin("CONFIG", "SET", "maxmemory", 0)
            job = await queue.add("a", 7)

            assert 7 == await job.result(3)
        assert (0, 1) == ((await queue.get(job.id)).stalls, (await queue.get(job.id)).attempts_started)


async def two_wait(redis):
    return await blocked(redis) == 2


async def test_a_job_that_was_taken_for_a_worker_that_stops_is_given_back(server, redis):
    """It was told to stop before it heard of the job: that is next in line, and no attempt was made."""
    queue, gate = Queue(redis, "q"), Gate()
    async with (
        Proxy(server.port) as proxy,
        client(proxy.url(server)) as far,
        running(worker := Worker(Queue(far, "q"), gate, lock=60)),
    ):
        await until(lambda: at_the_bell(redis))
        proxy.hold(DOWN)
        job = await queue.add("a", 7)
        await until(lambda: state_is(job, "active"))
        worker.stop()
        proxy.release()

    assert [] == gate.entered
    assert ("waiting", 0) == (await job.state(), (await queue.get(job.id)).attempts_made)
