"""What tests wait for in queues."""

from redyard import Job, Queue, Redis


async def blocked(redis: Redis) -> int:
    """Return how many connections wait in a blocking read: idle workers, and who waits for results."""
    return int((await redis.info("clients"))["blocked_clients"])


async def drained(queue: Queue) -> bool:
    """Say whether the queue holds no job."""
    return not any((await queue.counts()).values())


async def state_is(job: Job, state: str) -> bool:
    """Say whether a job is in a state."""
    return await job.state() == state
