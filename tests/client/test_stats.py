"""What a client tells of itself: counts, times, events, and its name in the server's list."""

import asyncio
import os

import pytest
import redis.exceptions as errors

from redyard import Redis, events
from redyard.client.stats import BUCKETS, Stats
from redyard.version import VERSION
from tests.support.clients import client, heard, start
from tests.support.servers import PASSWORDS
from tests.support.wait import until


async def test_commands_are_counted_by_name(redis):
    """Alone, together, and in pipelines; each once."""
    await redis.set("a", 1)
    await asyncio.gather(*(redis.get("a") for _ in range(10)))
    await redis.pipeline(transaction=False).get("a").incr("n").execute()

    assert {"SET": 1, "GET": 11, "INCRBY": 1} == {name: redis.stats.commands[name] for name in ("SET", "GET", "INCRBY")}


async def test_times_are_kept_by_name(redis):
    """A bound below which most answers came, in seconds; None for what never ran."""
    for _ in range(20):
        await redis.get("a")
    half, most = redis.stats.quantile("GET", 0.5), redis.stats.quantile("GET", 0.99)

    assert 0 < half <= most < 5
    assert redis.stats.quantile("SET", 0.5) is None


@pytest.mark.parametrize(
    ("seconds", "share", "expected"),
    [
        ([0.000001], 1, 0.000002),
        ([0.001] * 9 + [1.0], 0.9, 0.001024),
        ([0.001] * 9 + [1.0], 0.99, 1.048576),
        ([100], 1, 8.388608),
    ],
)
def test_a_quantile_is_the_next_power_of_two(seconds, share, expected):
    """Of a microsecond; what is longer than the last bucket counts there."""
    stats = Stats()
    for item in seconds:
        stats.observe("GET", item)

    assert expected == stats.quantile("GET", share)
    assert BUCKETS == len(stats.latencies["GET"])


async def test_losses_are_counted(own_server, own_redis):
    """A connection that was cut: one more connect, reads sent again, the others lost."""
    await own_redis.ping()
    own_server.pause()
    waiting = [asyncio.create_task(own_redis.get("a")), asyncio.create_task(own_redis.incr("n"))]
    await until(lambda: own_redis.in_flight == 2)
    await asyncio.to_thread(own_server.kill)
    await start(own_server)
    answers = await asyncio.gather(*waiting, return_exceptions=True)
    stats = own_redis.stats

    assert answers[0] is None
    assert isinstance(answers[1], errors.ConnectionError)
    assert (2, 1, 1) == (stats.connects, stats.resent, stats.lost)
    assert 0 == own_redis.in_flight


async def test_what_is_late_is_counted(own_server):
    """Each call that was given up at its deadline."""
    async with client(own_server.url, socket_timeout=0.2) as redis:
        await redis.ping()
        own_server.pause()
        await asyncio.gather(*(redis.get("a") for _ in range(3)), return_exceptions=True)
        own_server.resume()

        assert 3 == redis.stats.timed_out


async def test_a_connection_and_its_loss_are_events(own_server):
    """`client.ready`, `client.reconnecting`, `client.error`: with the client's name, and without a secret."""
    kinds = (events.CLIENT_READY, events.CLIENT_RECONNECTING, events.CLIENT_ERROR)
    with heard(*kinds) as seen:
        async with client(own_server.url) as redis:
            await redis.ping()
            await asyncio.to_thread(own_server.kill)
            await until(lambda: events.CLIENT_RECONNECTING in [event.kind for event in seen])
            waiting = asyncio.create_task(redis.ping())
            await until(lambda: events.CLIENT_ERROR in [event.kind for event in seen])
            await start(own_server)
            await waiting
    order = list(dict.fromkeys(event.kind.name for event in seen))
    name = f"app:redis:{os.getpid()}"

    assert ["client.ready", "client.reconnecting", "client.error"] == order
    assert events.CLIENT_READY is seen[-1].kind
    assert [1, 2] == [event.fields["connects"] for event in seen if event.kind is events.CLIENT_READY]
    assert {name} == {event.fields["name"] for event in seen}
    assert all(set(event.kind.fields) == set(event.fields) for event in seen)
    assert PASSWORDS["default"] not in str(seen)


@pytest.mark.parametrize("protocol", [2, 3])
async def test_the_servers_list_shows_who_is_connected(server, protocol):
    """Application, role and process; this library on top of redis-py, too, where the engine keeps that."""
    async with Redis.from_env("cache", {"REDIS_URL": server.url}, app="shop", protocol=protocol) as redis:
        row = await redis.client_info()
        await redis.blpop(["none"], timeout=0.01)
        names = {other["name"] for other in await redis.client_list()}

    assert {f"shop:cache:{os.getpid()}"} == names
    assert f"redis-py(redyard_v{VERSION})" == row.get("lib-name", f"redis-py(redyard_v{VERSION})")
