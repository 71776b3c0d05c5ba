"""What the front page tells of all people's tasks: every stranger wants it, so it is counted twice a minute at most.

The number stays in this process; for five minutes after its time an old one is better than waiting for the database.
"""

from collections.abc import Awaitable, Callable

from examples.agent_tasks import ledger
from examples.agent_tasks.models import Database
from redyard import Cache

Count = Callable[[], Awaitable[int]]


def count_answered(cache: Cache, database: Database) -> Count:
    """Return a function that says how many texts were read so far, or soon before."""

    @cache.cached("agent-tasks:answered", ttl=30, stale_for=300, hard_timeout=2)
    async def answered() -> int:
        return await ledger.answered(database)

    return answered
