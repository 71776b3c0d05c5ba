"""Budgets of clients, decided in Redis."""

import asyncio
import time

import pytest

from redyard import RateLimit
from redyard.errors import BadKey, InvalidValue, RedisAway
from tests.support.clients import client, heard
from tests.support.wait import until


async def test_a_client_has_its_budget_and_no_more(server, decode):
    """The decision says how many remain and when to come back."""
    async with client(server.url, decode_responses=decode) as redis:
        limit = RateLimit(redis, "login", limit=3, per=60)
        decisions = [await limit.hit("ada") for _ in range(5)]

    assert [(True, 2), (True, 1), (True, 0), (False, 0), (False, 0)] == [
        (decision.allowed, decision.remaining) for decision in decisions
    ]
    assert [0, 0, 0] == [decision.retry_after for decision in decisions[:3]]
    assert 19 < decisions[4].retry_after <= 20
    assert {3} == {decision.limit for decision in decisions}


async def test_each_client_has_a_budget_of_its_own(redis):
    """And each limit."""
    limit, other = RateLimit(redis, "login", limit=1), RateLimit(redis, "search", limit=1)

    assert [True, False, True, True] == [
        (await one.hit(who)).allowed for one, who in ((limit, "ada"), (limit, "ada"), (limit, "bob"), (other, "ada"))
    ]


async def test_many_at_once_get_no_more_than_the_budget(redis):
    """100 hits at the same time, two processes' worth of limits, a budget of 10."""
    limits = [RateLimit(redis, "login", limit=10) for _ in range(2)]
    decisions = await asyncio.gather(*(limits[n % 2].hit("ada") for n in range(100)))

    assert 10 == sum(decision.allowed for decision in decisions)


async def test_the_budget_comes_back_by_and_by(redis):
    """One hit each `per / limit` seconds."""
    limit = RateLimit(redis, "login", limit=2, per=0.4)
    first = [(await limit.hit("ada")).allowed for _ in range(3)]
    start = time.monotonic()

    async def allowed():
        return (await limit.hit("ada")).allowed

    await until(allowed)

    assert [True, True, False] == first
    assert 0.1 < time.monotonic() - start < 0.35


async def test_a_hit_may_cost_more(redis):
    """One that costs more than the budget is never allowed; a refused one costs nothing."""
    limit = RateLimit(redis, "upload", limit=10)

    assert [(True, 4), (False, 4), (True, 0), (False, 0)] == [
        ((decision := await limit.hit("ada", cost=cost)).allowed, decision.remaining) for cost in (6, 5, 4, 11)
    ]


async def test_every_key_has_a_lifetime(redis):
    """No longer than the period."""
    await RateLimit(redis, "login", limit=5, per=900).hit("ada")

    assert 179 <= await redis.ttl("ratelimit:login:ada") <= 180


async def test_a_client_of_any_name_is_counted(redis):
    """Names come from strangers."""
    limit = RateLimit(redis, "login", limit=1)
    names = ["2001:db8::1", "x" * 10_000, "a\nb", "", "é"]

    assert [True] * 5 + [False] * 5 == [(await limit.hit(name)).allowed for name in names * 2]


async def test_a_reset_gives_the_budget_back(redis):
    """For a person who proved to be one."""
    limit = RateLimit(redis, "login", limit=1)
    await limit.hit("ada")
    await limit.reset("ada")

    assert (await limit.hit("ada")).allowed


@pytest.mark.parametrize("options", [{"limit": 0}, {"per": 0}, {"per": -1}])
def test_a_limit_must_be_one(redis, options):
    """At least one hit, in some time."""
    with pytest.raises(InvalidValue):
        RateLimit(redis, "login", **options)


def test_a_limit_needs_a_good_name(redis):
    """It is a part of the key."""
    with pytest.raises(BadKey):
        RateLimit(redis, "a:b")


@pytest.mark.parametrize(
    ("policy", "expected"),
    [("insurance", [True, True, False]), ("open", [True, True, True]), ("closed", [False, False, False])],
)
async def test_without_redis_the_policy_decides(policy, expected):
    """Count in memory, allow, or refuse; one event tells of it."""
    async with client("redis://127.0.0.1:1") as redis:
        limit = RateLimit(redis, "login", limit=2, on_error=policy)
        with heard() as events:
            decisions = [await limit.hit("ada") for _ in range(3)]
        with pytest.raises(RedisAway):
            await limit.reset("ada")

    assert expected == [decision.allowed for decision in decisions]
    assert all(decision.retry_after > 0 for decision in decisions if not decision.allowed)
    assert 1 == len(events)


async def test_a_hanging_redis_is_replaced_within_half_a_second(own_server, own_redis):
    """And then at once."""
    limit, times = RateLimit(own_redis, "login", limit=5), []
    await limit.hit("ada")
    own_server.pause()
    for _ in range(2):
        start = time.monotonic()
        assert (await limit.hit("ada")).allowed
        times.append(time.monotonic() - start)
    own_server.resume()

    assert times[0] < 0.5
    assert times[1] < 0.05
