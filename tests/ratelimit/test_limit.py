"""Budgets of clients, decided in Redis."""

import asyncio
import math
import re
import time

import pytest

from redyard import RateLimit, Redis
from redyard.errors import BadKey, InvalidValue, RedisAway
from tests.support.clients import client, heard
from tests.support.wait import until

NOWHERE = Redis.from_url("redis://127.0.0.1:1")


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


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"limit": 0}, "0 is no limit: it is a whole number from 1"),
        ({"limit": 2.5}, "2.5 is no limit"),
        ({"limit": 2**24}, "16777216 is no limit"),
        ({"per": 0}, "0 is no period"),
        ({"per": -1}, "-1 is no period"),
        ({"per": math.inf}, "inf is no period"),
        ({"per": math.nan}, "nan is no period"),
        ({"per": "60"}, "'60' is no period"),
        ({"limit": 2_000_000, "per": 1}, "a million a second"),
        ({"burst": 0}, "0 is no burst"),
        ({"limit": 1, "per": 86_400, "burst": 10_000}, "10000 is no burst"),
        ({"burst": 5, "rule": "window"}, "burst of a window"),
        ({"rule": "leaky"}, "'leaky' is no rule"),
        ({"on_error": "opened"}, "'opened' is no policy"),
    ],
)
def test_what_cannot_be_a_limit_is_refused_at_once(options, problem):
    """Where it is made, not at the first hit; the error says what is wrong, and what would be right."""
    with pytest.raises(InvalidValue, match=re.escape(problem)) as caught:
        RateLimit(NOWHERE, "login", **options)

    assert re.search(r"Write it like .+\.", caught.value.remedy)


@pytest.mark.parametrize("name", ["", "a:b", "x" * 257, "a\nb"])
def test_a_limit_needs_a_good_name(name):
    """It is a part of the key."""
    with pytest.raises(BadKey):
        RateLimit(NOWHERE, name)


@pytest.mark.parametrize("cost", [0, -1, 1.5, 2**24])
async def test_a_cost_must_be_one(redis, cost):
    """Whoever wants to give hits back says `reward`."""
    limit = RateLimit(redis, "login")
    for verb in (limit.hit, limit.peek):
        with pytest.raises(InvalidValue, match="is no cost"):
            await verb("ada", cost=cost)


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


@pytest.mark.parametrize("rule", ["gcra", "window"])
async def test_a_hit_is_one_round_trip(redis, rule):
    """One command, and one for the script the first time."""
    limit = RateLimit(redis, "login", limit=100, per=60, rule=rule)
    await limit.hit("ada")
    before = sum(redis.stats.commands.values())
    for _ in range(10):
        await limit.hit("ada")

    assert 10 == sum(redis.stats.commands.values()) - before
