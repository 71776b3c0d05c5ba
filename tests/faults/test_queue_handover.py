"""Another server takes the place of the queue's, as a replica does that is promoted: workers go on there."""

import asyncio
import time
from collections import Counter

from redyard import Queue, Worker
from redyard.client.lane import MOVE_EVERY
from tests.faults.test_moves import address
from tests.support.clients import client
from tests.support.queues import blocked
from tests.support.servers import PASSWORDS
from tests.support.wait import until
from tests.support.workers import running

__all__ = ["address"]


async def follow(address):
    """Have the other server follow the one at the address."""
    address.here.admin("CONFIG", "SET", "repl-diskless-sync-delay", 0)
    address.there.admin("CONFIG", "SET", "masteruser", "yard", "masterauth", PASSWORDS["yard"])
    address.there.admin("REPLICAOF", "127.0.0.1", address.here.port)
    await until(lambda: address.there.admin("INFO", "replication")["master_link_status"] == "up")


async def hand_over(address):
    """Let the other server take the address when it has all that was written; what is written meanwhile waits."""
    before = address.here
    before.admin("CLIENT", "PAUSE", 10_000, "WRITE")
    await until(lambda: written(address.here) == written(address.there))
    address.change()
    before.admin("CLIENT", "UNPAUSE")


def written(server):
    return server.admin("INFO", "replication")["master_repl_offset"]


async def test_jobs_go_on_where_the_queue_is_now(address):
    """Under load and then at rest: each job runs once, and the next one is heard of at once."""
    ran = Counter()

    async def handle(job):
        ran[job.id] += 1
        await asyncio.sleep(0.005)

    async with client(address.proxy.url(address.here)) as redis:
        queue = Queue(redis, "q", remove_on_complete=False)
        await follow(address)
        async with running(Worker(queue, handle, concurrency=4)):
            jobs = await queue.add_bulk([("a", None)] * 200)
            await until(lambda: len(ran) > 50)
            await hand_over(address)
            handed_over = time.monotonic()
            await until(lambda: completed(queue, 200))
            await follow(address)
            await until(lambda: time.monotonic() > handed_over + MOVE_EVERY)  # sooner, its client would not follow
            await until(lambda: blocked(redis))
            await hand_over(address)
            jobs.append(await queue.add("b"))
            await jobs[-1].result(3)

    assert dict.fromkeys((job.id for job in jobs), 1) == ran


async def completed(queue, count):
    return (await queue.counts())["completed"] == count
