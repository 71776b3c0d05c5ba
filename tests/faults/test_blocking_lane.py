"""Blocking commands beside the lane: they last as long as they were told to, and harm nobody."""

import asyncio
import time

import pytest
from redis.exceptions import AuthenticationError

from redyard.client.failures import ConnectionLost
from tests.faults.conversation import outcome
from tests.support.clients import client
from tests.support.proxy import Proxy
from tests.support.wait import until


async def blocked(redis):
    return (await redis.info("clients"))["blocked_clients"]


@pytest.mark.parametrize(
    ("deadline", "told"), [(0.2, 0.8), pytest.param(5, 8, marks=pytest.mark.soak)], ids=["short", "eight-seconds"]
)
async def test_a_blocking_command_lasts_as_long_as_it_was_told_to(server, deadline, told):
    """Its own timeout counts, not the deadline of other commands, and no more than it."""
    async with client(server.url, socket_timeout=deadline) as redis:
        began = time.monotonic()
        popped, read = await asyncio.gather(
            redis.blpop(["empty"], timeout=told), redis.xread({"none": "$"}, block=int(told * 1000))
        )
        lasted = time.monotonic() - began

        assert popped is None
        assert not read
        assert told <= lasted + 0.01
        assert lasted < told + 0.5


async def test_many_blocking_commands_hold_few_connections(server):
    """40 at once open at most `max_connections`; commands on the lane are answered meanwhile."""
    async with Proxy(server.port) as proxy, client(proxy.url(server), max_connections=8) as redis:
        calls = [asyncio.create_task(redis.blpop(["queue"], timeout=30)) for _ in range(40)]
        await until(lambda: at_most_eight(redis))
        answer = await redis.set("works", 1)
        open_then = proxy.connections
        await redis.rpush("queue", *range(40))
        popped = await asyncio.gather(*calls)

        assert answer is True
        assert open_then <= 9
        assert proxy.connections <= 9
        assert sorted(str(n).encode() for n in range(40)) == sorted(value for _, value in popped)


async def at_most_eight(redis):
    return await blocked(redis) == 8


async def test_a_cancelled_blocking_command_takes_nothing_along(server):
    """Its connection is dropped, so that the next element is for the next caller."""
    async with client(server.url) as redis:
        leaves = asyncio.create_task(redis.blpop(["queue"], timeout=30))
        await until(lambda: blocked(redis))
        leaves.cancel()
        await asyncio.gather(leaves, return_exceptions=True)
        await until(lambda: nobody_blocked(redis))
        stays = asyncio.create_task(redis.blpop(["queue"], timeout=30))
        await redis.rpush("queue", "x")

        assert leaves.cancelled()
        assert (b"queue", b"x") == tuple(await stays)


async def nobody_blocked(redis):
    return await blocked(redis) == 0


async def test_a_blocking_command_whose_connection_is_cut(server):
    """It may have taken an element along, and says so; the next one has a new connection."""
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis:
        cut = asyncio.create_task(outcome(redis.blpop(["queue"], timeout=30)))
        await until(lambda: blocked(redis))
        proxy.cut()
        answer = await cut
        await redis.rpush("queue", "x")

        assert isinstance(answer, ConnectionLost)
        assert answer.maybe_ran
        assert (b"queue", b"x") == tuple(await redis.blpop(["queue"], timeout=30))


async def test_an_idle_connection_that_was_cut_is_replaced_before_use(server):
    """A blocking command does not fail for what happened before it."""
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis:
        await redis.blpop(["queue"], timeout=0.01)
        proxy.cut(reset=False)
        await until(lambda: proxy.open == 0)
        server.admin("RPUSH", "queue", "x")

        assert (b"queue", b"x") == tuple(await redis.blpop(["queue"], timeout=5))


async def test_a_blocking_command_waits_for_a_server_that_is_away(own_server):
    """Nothing was sent: it connects when the server is back, as other commands do."""
    async with client(own_server.url) as redis:
        await asyncio.to_thread(own_server.kill)
        waits = asyncio.create_task(redis.blpop(["queue"], timeout=30))
        await asyncio.sleep(0)
        await asyncio.to_thread(own_server.start)
        await redis.rpush("queue", "x")

        assert (b"queue", b"x") == tuple(await waits)


async def test_a_blocking_command_whose_server_stays_away(own_server):
    """It ends at its deadline, and did not run."""
    async with client(own_server.url, socket_timeout=0.1) as redis:
        await asyncio.to_thread(own_server.kill)
        answer = await outcome(redis.blpop(["queue"], timeout=0.1))

        assert isinstance(answer, ConnectionLost)
        assert not answer.maybe_ran


async def test_a_blocking_command_with_a_wrong_password(own_server):
    """It fails at once: the next attempt would, too."""
    async with (
        Proxy(own_server.port) as proxy,
        client(proxy.url(own_server).replace("default:", "default:not-")) as redis,
    ):
        answer = await outcome(redis.blpop(["queue"], timeout=30))

        assert isinstance(answer, AuthenticationError)
        assert 1 == proxy.connections
