"""How many at the same time."""

import asyncio

import pytest

from redyard.errors import BadKey, InvalidValue
from redyard.ratelimit import ConcurrencyLimit
from tests.ratelimit.test_limit import NOWHERE
from tests.support.clients import client
from tests.support.wait import until


async def test_no_more_than_the_limit_at_the_same_time(redis):
    """In two processes' worth of limits; who is done makes room."""
    limits = [ConcurrencyLimit(redis, "export", 3) for _ in range(2)]
    leases = await asyncio.gather(*(limits[n % 2].acquire("ada") for n in range(10)))
    held = [lease for lease in leases if lease.allowed]
    refused = next(lease for lease in leases if not lease.allowed)
    await limits[0].release(held[0])

    assert [2, 1, 0] == sorted((lease.remaining for lease in held), reverse=True)
    assert 29 < refused.retry_after <= 30
    assert (await limits[0].acquire("bob")).allowed
    assert [True, False] == [(await limits[1].acquire("ada")).allowed for _ in range(2)]


async def test_a_block_holds_its_lease_as_long_as_it_runs(redis):
    """It is renewed; and ended when the block is left by an error, too."""
    limit, other = ConcurrencyLimit(redis, "export", lease=0.15), ConcurrencyLimit(redis, "export", lease=0.15)
    ends = set()

    async def renewed():
        ends.add(tuple(await redis.zrange("concurrency:export:ada", 0, -1, withscores=True)))
        return len(ends) > 4

    async def export():
        async with limit.hold("ada") as lease:
            await until(renewed)
            assert [True, False] == [lease.allowed, (await other.acquire("ada")).allowed]
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await export()

    assert 0 == await redis.exists("concurrency:export:ada")
    assert not limit._mine


async def test_who_is_refused_holds_nothing(redis):
    """The block runs and sees that it may not."""
    limit = ConcurrencyLimit(redis, "export")
    async with limit.hold("ada"), limit.hold("ada") as second:
        assert not second.allowed

    assert (await limit.acquire("ada")).allowed


async def test_the_lease_of_one_who_died_ends_by_itself(redis):
    """And the key with it; whose lease ended cannot renew it into a slot that is taken."""
    limit = ConcurrencyLimit(redis, "export", lease=0.05)
    first = await limit.acquire("ada")
    taken = ConcurrencyLimit(redis, "export", lease=60)

    async def free():
        lease = await taken.acquire("ada")
        return lease if lease.allowed else None

    second = await until(free)

    assert not (await limit.renew(first)).allowed
    assert (await taken.renew(second)).allowed
    assert 59 <= await redis.ttl("concurrency:export:ada") <= 60


async def test_without_redis_the_policy_decides():
    """Count this process's own, allow, or refuse; what is held stays held."""
    said = {}
    async with client("redis://127.0.0.1:1") as redis:
        for policy in ("insurance", "open", "closed"):
            limit = ConcurrencyLimit(redis, "export", 2, on_error=policy)
            leases = [await limit.acquire("ada") for _ in range(3)]
            said[policy] = [lease.allowed for lease in leases]
            assert all(lease.degraded for lease in leases)
            if policy == "insurance":
                assert (await limit.renew(leases[0])).allowed
                await limit.release(leases[0])
                assert (await limit.acquire("ada")).allowed

    assert {"insurance": [True, True, False], "open": [True] * 3, "closed": [False] * 3} == said


@pytest.mark.parametrize("options", [{"limit": 0}, {"lease": 0}, {"on_error": "never"}])
def test_what_cannot_be_a_limit_is_refused_at_once(options):
    """Where it is made."""
    with pytest.raises(InvalidValue):
        ConcurrencyLimit(NOWHERE, "export", **options)
    with pytest.raises(BadKey):
        ConcurrencyLimit(NOWHERE, "a:b")
