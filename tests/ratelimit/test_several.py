"""Several limits in one trip."""

import pytest

from redyard import RateLimit
from redyard.errors import InvalidValue
from redyard.ratelimit import Hit, hit_all
from tests.ratelimit.test_verbs import commands
from tests.support.clients import client


async def test_a_hit_counts_in_all_limits_or_in_none(server, redis):
    """One script decides; rules may differ."""
    address = RateLimit(redis, "address", 3, 60)
    user = RateLimit(redis, "user", 2, 60, rule="window")
    await user.peek("ada")  # the server knows the script from now on
    before = commands(server)
    said = [await hit_all(Hit(address, "::1"), Hit(user, "ada")) for _ in range(3)]

    assert [[(True, 2), (True, 1)], [(True, 1), (True, 0)], [(True, 1), (False, 0)]] == [
        [(one.allowed, one.remaining) for one in decisions.values()] for decisions in said
    ]
    assert [[address, user]] * 3 == [list(decisions) for decisions in said]
    assert before + 3 == commands(server)


async def test_who_is_refused_by_one_is_refused_from_memory(server, redis):
    """The limit that refuses answers alone, and the other ones count nothing."""
    address, user = RateLimit(redis, "address", 3), RateLimit(redis, "user", 1)
    for _ in range(2):
        await hit_all(Hit(address, "::1"), Hit(user, "ada"))
    before = commands(server)
    said = await hit_all(Hit(address, "::1"), Hit(user, "ada"))

    assert [(user, False)] == [(limit, decision.allowed) for limit, decision in said.items()]
    assert before == commands(server)
    assert 2 == (await address.peek("::1")).remaining


async def test_without_redis_the_policies_decide():
    """Each its own; what one refuses counts in none, in memory as well."""
    async with client("redis://127.0.0.1:1") as redis:
        memory = RateLimit(redis, "memory", 1)
        free = RateLimit(redis, "free", 1, on_error="open")
        shut = RateLimit(redis, "shut", 1, on_error="closed")
        said = [
            [one.allowed for one in (await hit_all(*(Hit(limit, "ada") for limit in limits))).values()]
            for limits in ((memory, shut), (memory, free), (memory, free))
        ]

    assert [[True, False], [True, True], [False, True]] == said


async def test_the_choice_of_limits_is_checked(redis, server):
    """None twice, all on one client."""
    limit = RateLimit(redis, "one")
    async with client(server.url) as other:
        for second in (limit, RateLimit(other, "two")):
            with pytest.raises(InvalidValue, match="choice of limits"):
                await hit_all(Hit(limit, "ada"), Hit(second, "ada"))
        with pytest.raises(InvalidValue, match="cost"):
            await hit_all(Hit(limit, "ada", 0))

    assert {} == await hit_all()
