"""What can be done to a budget besides a hit, by both rules."""

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings, strategies as st

from redyard import RateLimit, events
from redyard.client import Script
from redyard.ratelimit import held
from redyard.ratelimit.insurance import Insurance
from tests.support.clients import client, heard
from tests.support.servers import Server

HOUR = 3600
RULES = pytest.mark.parametrize("rule", ["gcra", "window"])


def commands(server: Server) -> int:
    """How many scripts the server has run."""
    stats = server.admin("INFO", "commandstats")
    return sum(stats.get(f"cmdstat_{name}", {"calls": 0})["calls"] for name in ("eval", "evalsha"))


@RULES
async def test_a_look_counts_nothing(redis, rule):
    """It says what a hit of that cost would meet."""
    limit = RateLimit(redis, "login", 3, HOUR, rule=rule)
    before = await limit.peek("ada")
    await limit.hit("ada", cost=2)
    after = [await limit.peek("ada", cost=cost) for cost in (1, 1, 2)]

    assert (True, 3, 0, 3, 0) == before[:5]
    assert [(True, 1), (True, 1), (False, 1)] == [(look.allowed, look.remaining) for look in after]
    assert 1 == await redis.dbsize()


@RULES
async def test_a_penalty_goes_beyond_the_budget_and_a_reward_takes_it_back(redis, rule):
    """For wrong passwords, and for those who turned out well."""
    limit = RateLimit(redis, "login", 3, HOUR, rule=rule)
    decisions = [
        await limit.penalty("ada", 5),
        await limit.hit("ada"),
        await limit.reward("ada", 3),
        await limit.hit("ada"),
        await limit.reward("ada", 100),
    ]

    assert [(False, 0), (False, 0), (True, 1), (True, 0), (True, 3)] == [
        (decision.allowed, decision.remaining) for decision in decisions
    ]


@RULES
async def test_a_block_lasts_as_long_as_it_says(redis, rule):
    """Whatever is left of the budget; a reset ends it."""
    limit = RateLimit(redis, "login", 3, 60, rule=rule)
    await limit.hit("ada")
    blocked = await limit.block("ada", HOUR)
    refused = await RateLimit(redis, "login", 3, 60, rule=rule).hit("ada")
    kept = await redis.ttl("ratelimit:login:ada")
    await limit.reset("ada")

    assert [(False, 0), (False, 0)] == [(one.allowed, one.remaining) for one in (blocked, refused)]
    assert HOUR - 5 < refused.retry_after <= HOUR
    assert HOUR - 5 < kept <= HOUR + 60
    assert (await limit.hit("ada")).allowed


async def test_a_burst_is_apart_from_the_rate(redis):
    """Two at once, and one each minute."""
    limit = RateLimit(redis, "mail", 60, HOUR, burst=2)
    decisions = [await limit.hit("ada") for _ in range(3)]

    assert [(True, 1), (True, 0), (False, 0)] == [(one.allowed, one.remaining) for one in decisions]
    assert 55 < decisions[2].retry_after <= 60
    assert [60, 60] == [one.limit for one in decisions[:2]]
    assert all(55 < one.reset_after <= 60 for one in decisions)


async def test_a_window_never_has_more_than_its_limit(redis):
    """In no period, while it is asked all the time; what left it comes back a twentieth of it late at most."""
    limit, per, hits = RateLimit(redis, "api", 20, 0.4, rule="window"), 0.4, []
    clock = asyncio.get_running_loop().time
    begin = clock()
    while clock() < begin + 3 * per:
        sent = clock()
        decision = await limit.hit("ada")
        if decision.allowed:
            hits.append((sent, clock()))
        limit._held.clear()

        assert decision.retry_after <= per * 1.05 + 0.001

    assert len(hits) > 20
    assert all(hits[n + 20][1] - hits[n][0] > per for n in range(len(hits) - 20))


async def test_a_window_says_when_its_hits_leave(redis):
    """Not before the period is over, and not much later."""
    limit = RateLimit(redis, "api", 2, 1000, rule="window")
    decisions = [await limit.hit("ada") for _ in range(3)]

    assert [True, True, False] == [one.allowed for one in decisions]
    assert all(995 < one.reset_after <= 1050 for one in decisions)
    assert decisions[2].retry_after == decisions[2].reset_after


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.integers(1, 4), min_size=1, max_size=12), st.integers(1, 9))
async def test_the_short_script_the_long_one_and_the_insurance_agree(redis, costs, burst):
    """hit.lua is ask.lua for the commonest case; an insurance must not judge otherwise than Redis."""
    limit = RateLimit(redis, "login", 9, HOUR, burst=burst)
    ask, insurance, found = Script("redyard.ratelimit", "ask"), Insurance(limit._step, burst), []
    await redis.delete("ratelimit:login:ada", "long")
    for cost in costs:
        limit._held.clear()
        short = await limit.hit("ada", cost=cost)
        long = limit.read(await ask.run(redis, ["long"], "hit", *limit._terms, cost), "bob", cost)
        memory = limit._decide(insurance.do("hit", "ada", cost, now=0))
        found.append({(one.allowed, one.remaining, round(one.retry_after), one.limit) for one in (short, long, memory)})

    assert [1] * len(costs) == [len(answers) for answers in found]


@RULES
@pytest.mark.parametrize("trash", [b"trash", b"", b"nan", b"-5", b"1e300"])
async def test_what_cannot_be_read_begins_anew(server, decode, rule, trash):
    """And an event tells of it, without the content."""
    async with client(server.url, decode_responses=decode) as redis:
        limit = RateLimit(redis, "login", 3, HOUR, rule=rule)
        await redis.set("ratelimit:login:ada", trash)
        await redis.rpush("ratelimit:login:bob", "a")
        with heard() as seen:
            decisions = [await limit.hit(name) for name in ("ada", "bob", "ada")]

    assert [(True, 2), (True, 2), (True, 1)] == [(one.allowed, one.remaining) for one in decisions]
    assert [(events.RATELIMIT_UNREADABLE, {"name": "login"})] * 2 == [tuple(event) for event in seen]


@pytest.mark.parametrize(("rule", "most"), [("gcra", 96), ("window", 199)])
@pytest.mark.parametrize("who", ["203.0.113.255", "2001:db8:ffff:ffff::", "ffff:ffff:ffff:ffff::"])
async def test_a_client_costs_little_memory(server, redis, rule, most, who):
    """An IPv4 address or an IPv6 network in the documented key, by the server's own count, in bytes."""
    await RateLimit(redis, "sign-in", 5, 900, rule=rule).hit(who)

    assert server.admin("MEMORY", "USAGE", f"ratelimit:sign-in:{who}") <= most


@RULES
async def test_every_key_has_an_end(server, redis, rule):
    """Whatever was done to it."""
    limit = RateLimit(redis, "login", 3, HOUR, rule=rule)
    for verb in (limit.hit, limit.peek, limit.penalty, limit.reward):
        await verb(verb.__name__)
    await limit.block("block", HOUR)
    await limit.reward("block")
    names = server.admin("KEYS", "*")
    ends = [await redis.pttl(name) for name in names]

    assert {b"ratelimit:login:" + name for name in (b"hit", b"penalty", b"block")} <= set(names)
    assert all(0 < end <= 2 * HOUR * 1000 for end in ends)


@RULES
async def test_who_is_refused_is_refused_from_memory(server, redis, rule):
    """Redis hears nothing of a flood."""
    limit = RateLimit(redis, "login", 1, HOUR, rule=rule)
    first = [await limit.hit("ada") for _ in range(2)]
    before = commands(server)
    flood = [await limit.hit("ada", cost=cost) for cost in (1, 2) for _ in range(500)]
    after = commands(server)

    assert [True, False] == [one.allowed for one in first]
    assert {(False, 0, 1, False)} == {(one.allowed, one.remaining, one.limit, one.degraded) for one in flood}
    assert HOUR - 5 < flood[-1].retry_after <= flood[0].retry_after <= HOUR * 1.05
    assert before == after


async def test_who_may_come_again_is_asked_about(redis):
    """A refusal from memory ends with its time, and with the reward that ends it."""
    limit = RateLimit(redis, "login", 1, HOUR)
    other = RateLimit(redis, "login", 1, HOUR)
    for _ in range(2):
        await limit.hit("ada")
        await other.hit("ada")
    await limit.reward("ada")

    assert (await limit.hit("ada")).allowed
    assert not (await other.hit("ada")).allowed  # another process asks again after ten seconds
    hold = other._held["ada"]
    other._held["ada"] = hold._replace(believed=hold.believed - held.ASK_AGAIN)
    assert await redis.delete("ratelimit:login:ada")
    assert (await other.hit("ada")).allowed


def test_few_refusals_are_remembered():
    """Strangers cannot fill memory, neither by number nor by length."""
    known = held.Held()
    for number in range(held.CLIENTS + 5):
        known.add(str(number), 1, 60, now=0)
    known.add("x" * 1000, 1, 60, now=0)

    assert held.CLIENTS == len(known)
    assert "4" not in known
    assert held.Hold(60, 10, 1) == known["5"]
