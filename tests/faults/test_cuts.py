"""A conversation that is cut at every one of its bytes: nobody hears another's answer, nothing runs twice."""

import redis as redispy

from tests.faults.conversation import KIB, Said
from tests.support.clients import client
from tests.support.proxy import DOWN, UP, Proxy


async def cut_everywhere(server, proxy, direction):
    """Hold the conversation once for each byte of it that passes in a direction; return what went wrong."""
    server.admin("MSET", "fixed", "fixed", "kib", KIB)
    held = []
    async with client(proxy.url(server), decode_responses=True) as redis:
        await redis.ping()
        before = proxy.passed[direction]
        await said(held, redis, "0000").hold()
        length = proxy.passed[direction] - before
        for position in range(1, length + 1):
            proxy.cut_after(position, direction)
            await said(held, redis, f"{position:04}").hold()
    keys = [key for one in held for key, _ in one.counters]
    with redispy.Redis.from_url(server.admin_url, decode_responses=True) as admin:
        stored = dict(zip(keys, admin.mget(keys), strict=True))

    assert length > 300
    assert proxy.connections >= length
    return [problem for one in held for problem in one.check(stored)]


def said(held, redis, name):
    held.append(Said(redis, name))
    return held[-1]


async def test_a_conversation_cut_at_every_byte_that_is_sent(server):
    """Whatever part of the commands arrived: callers get their own answers or true errors, and reads get answers."""
    async with Proxy(server.port) as proxy:
        assert [] == await cut_everywhere(server, proxy, UP)


async def test_a_conversation_cut_at_every_byte_that_is_answered(server):
    """Whatever part of the answers arrived: the same."""
    async with Proxy(server.port) as proxy:
        assert [] == await cut_everywhere(server, proxy, DOWN)
