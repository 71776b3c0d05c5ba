"""Every way to make a client leads to the same client."""

import asyncio
from contextlib import asynccontextmanager

import pytest
import redis.exceptions as errors
from redis.asyncio import ConnectionPool

from redyard import Redis
from redyard.client.failures import ConnectionLost
from tests.support.clients import client
from tests.support.servers import PASSWORDS
from tests.support.wait import until


@asynccontextmanager
async def by_parts(server, **options):
    async with Redis(host="127.0.0.1", port=server.port, password=PASSWORDS["default"], **options) as made:
        yield made


@asynccontextmanager
async def by_url(server, **options):
    async with Redis.from_url(server.url, **options) as made:
        yield made


@asynccontextmanager
async def by_environment(server, **options):
    async with Redis.from_env(environ={"REDIS_URL": server.url}, **options) as made:
        yield made


@asynccontextmanager
async def by_environment_parts(server, **options):
    environ = {"REDISHOST": "127.0.0.1", "REDISPORT": str(server.port), "REDISPASSWORD": PASSWORDS["default"]}
    async with Redis.from_env(environ=environ, **options) as made:
        yield made


@asynccontextmanager
async def by_pool(server, **options):
    async with ConnectionPool.from_url(server.url, **options) as pool, Redis(connection_pool=pool) as made:
        yield made


@asynccontextmanager
async def by_own_pool(server, **options):
    async with Redis.from_pool(ConnectionPool.from_url(server.url, **options)) as made:
        yield made


@asynccontextmanager
async def by_socket(server, **options):
    path, password = str(server.seat.socket), PASSWORDS["default"]
    async with Redis(unix_socket_path=path, password=password, **options) as made:
        yield made


@asynccontextmanager
async def by_socket_url(server, **options):
    url = f"unix://default:{PASSWORDS['default']}@{server.seat.socket}"
    async with Redis.from_url(url, **options) as made:
        yield made


@asynccontextmanager
async def having(server, **options):
    async with Redis.from_url(server.url, **options) as made:
        yield made.having(idempotent=True)


@asynccontextmanager
async def alone(server, **options):
    async with Redis.from_url(server.url, **options) as made, made.client() as one:
        yield one


@asynccontextmanager
async def alone_by_option(server, **options):
    async with Redis.from_url(server.url, single_connection_client=True, **options) as made:
        yield made


SHARED = (
    by_parts,
    by_url,
    by_environment,
    by_environment_parts,
    by_pool,
    by_own_pool,
    by_socket,
    by_socket_url,
    having,
)
EVERY = pytest.mark.parametrize("make", [*SHARED, alone, alone_by_option], ids=lambda make: make.__name__)
SHARING = pytest.mark.parametrize("make", SHARED, ids=lambda make: make.__name__)


@EVERY
async def test_every_constructor_makes_the_same_client(server, make):
    """Commands, pipelines, watches, blocking commands and subscriptions work on each."""
    async with make(server, decode_responses=True) as redis:
        await redis.set("a", "é")
        assert "é" == await redis.get("a")
        assert [True, "1"] == await redis.pipeline().set("a", 1).get("a").execute()
        assert None is await redis.blpop(["none"], timeout=0.01)
        async with redis.pipeline() as pipe:
            await pipe.watch("a")
            pipe.multi()
            assert [2] == await pipe.incr("a").execute()
        async with redis.pubsub() as channel:
            await channel.subscribe("news")
            await until(lambda: channel.get_message(timeout=0.1))
            await redis.publish("news", "hello")
            assert "hello" == (await until(lambda: channel.get_message(timeout=0.1)))["data"]


@EVERY
async def test_no_constructor_sends_a_command_twice(own_server, make):
    """A server that stops for longer than the deadline counts once."""
    async with make(own_server, socket_timeout=0.3) as redis:
        await redis.ping()
        own_server.pause()
        with pytest.raises(errors.TimeoutError):
            await redis.incr("n")
        own_server.resume()

        assert b"1" == await until(lambda: value(redis))


async def value(redis):
    try:
        return await redis.get("n")
    except errors.RedisError:
        return None


@SHARING
async def test_all_callers_share_one_connection(server, make):
    """However many there are at once."""
    async with make(server) as redis:
        await asyncio.gather(*(redis.incr("n") for _ in range(500)))

        assert 1 == redis.stats.connects
        assert 1 == len(await redis.client_list())


@EVERY
async def test_closing_leaves_no_connection(server, make):
    """Of the lane, of the blocking commands, or of one's own."""
    async with make(server) as redis:
        await redis.ping()
        await redis.blpop(["none"], timeout=0.01)
        await redis.pipeline().get("a").execute()

    async with client(server.admin_url) as admin:
        await until(lambda: is_alone(admin))


async def is_alone(admin):
    return 1 == len(await admin.client_list())


async def test_a_closed_client_can_be_used_again(server):
    """It connects anew, as redis-py's does."""
    redis = Redis.from_url(server.url)
    await redis.set("a", 1)
    await redis.aclose()
    again = await redis.get("a")
    await redis.aclose()
    await redis.aclose()

    assert b"1" == again


async def test_a_client_of_ones_own_keeps_what_is_its_own(server):
    """SELECT changes its connection and nobody else's."""
    async with client(server.url) as redis:
        one = redis.client()
        await one.select(1)
        await one.set("a", "first")
        numbers = await redis.get("a"), await one.get("a")
        await one.aclose()

    assert (None, b"first") == numbers


async def test_a_client_of_ones_own_blocks_as_long_as_it_is_told(server):
    """Also beyond the deadline of other commands."""
    async with client(server.url, socket_timeout=0.5) as redis, redis.client() as one:
        assert await one.blpop(["empty"], timeout=0.8) is None  # an engine looks at its clock ten times a second


async def test_other_terms_leave_the_client_as_it_is(own_server):
    """`having` gives another deadline to whom it gives it, and closing that closes nothing."""
    async with client(own_server.url) as redis:
        brief = redis.having(timeout=0.1)
        await brief.ping()
        own_server.pause()
        with pytest.raises(errors.TimeoutError, match=r"0\.1 s"):
            await brief.get("a")
        with pytest.raises(errors.TimeoutError, match=r"0\.2 s"):
            await brief.execute_command("GET", "a", timeout=0.2)
        patient = asyncio.create_task(redis.set("a", 1))
        await asyncio.sleep(0)
        own_server.resume()

        assert await patient
        await brief.aclose()
        assert 1 == redis.stats.connects


async def test_what_has_not_left_when_its_time_is_over_did_not_run():
    """The error of a call with a time of its own says so, too."""
    async with client("redis://127.0.0.1:1") as redis:
        with pytest.raises(ConnectionLost, match="did not run") as error:
            await redis.having(timeout=0.1).incr("n")

    assert not error.value.maybe_ran


async def test_other_terms_of_a_client_of_ones_own_do_not_close_it(server):
    """Two objects, one connection: the one that borrows it may go."""
    async with client(server.url) as redis, redis.client() as one:
        other = one.having(timeout=1)
        await other.set("a", 1)
        del other

        assert b"1" == await one.get("a")
