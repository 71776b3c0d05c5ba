"""The client's promises: nothing twice, nothing for ever, the same from every constructor."""

import asyncio
import os
import time

import pytest
import redis.exceptions as errors

from redyard import Redis
from redyard.client.options import CONNECTIONS, client_name
from redyard.errors import InvalidURL
from tests.support.clients import client, restart
from tests.support.wait import until


def from_parts(server, **options):
    password = server.url.split(":")[2].split("@")[0]
    return Redis(host="127.0.0.1", port=server.port, password=password, **options)


def from_url(server, **options):
    return Redis.from_url(server.url, **options)


def from_env(server, **options):
    return Redis.from_env(environ={"REDIS_URL": server.url}, **options)


EVERY = pytest.mark.parametrize("make", [from_parts, from_url, from_env])


@EVERY
async def test_every_constructor_makes_a_working_client(server, make):
    """It connects at its first command."""
    async with make(server) as redis:
        assert await redis.ping()


@EVERY
async def test_a_command_is_sent_once(own_server, make):
    """A command whose reply does not come in time has run once when the server goes on, not more often."""
    async with make(own_server, socket_timeout=0.2) as redis:
        await redis.ping()
        own_server.pause()
        with pytest.raises(errors.TimeoutError):
            await redis.incr("n")
        own_server.resume()

        assert b"1" == await until(lambda: redis.get("n"))


async def test_a_name_tells_who_is_connected(server):
    """The server's list of clients shows app, role and process."""
    redis = Redis.from_env("cache", {"REDIS_URL": server.url}, app="my shop")
    try:
        assert f"my-shop:cache:{os.getpid()}" == (await redis.client_info())["name"]
    finally:
        await redis.aclose()


def test_a_name_has_no_signs_that_the_server_refuses():
    """Space and what is not ASCII become dashes."""
    assert f"a-b-:store:{os.getpid()}" == client_name("a bé", "store")


def test_unknown_options_of_an_address_are_refused_at_once():
    """Not at the first command, where redis-py does."""
    with pytest.raises(InvalidURL, match="colour"):
        Redis.from_url("redis://h?colour=red")


def test_bad_options_of_an_address_are_refused_at_once():
    """A value that is of the wrong kind, too."""
    with pytest.raises(InvalidURL, match="socket_timeout"):
        Redis.from_url("redis://h?socket_timeout=long")


async def test_a_client_without_a_server_fails_at_its_deadline():
    """It tries again for that long, and the error says why nobody answered and that nothing ran."""
    start = time.monotonic()
    async with client("redis://127.0.0.1:1", socket_timeout=0.3) as redis:
        with pytest.raises(errors.ConnectionError, match=r"0\.3 s .*Connect call failed.*did not run"):
            await redis.ping()

    assert 0.3 <= time.monotonic() - start < 1


async def test_a_wrong_password_fails_at_once(server):
    """Authentication is not tried again."""
    start = time.monotonic()
    async with client(f"redis://default:wrong@127.0.0.1:{server.port}") as redis:
        with pytest.raises(errors.AuthenticationError):
            await redis.ping()

    assert time.monotonic() - start < 1


async def test_a_hanging_server_is_given_up(own_server):
    """A command ends with TimeoutError at its deadline."""
    async with client(own_server.url, socket_timeout=0.2) as redis:
        await redis.ping()
        own_server.pause()
        with pytest.raises(errors.TimeoutError, match="may have run"):
            await redis.ping()
        own_server.resume()

        assert await redis.ping()


async def test_a_used_up_pool_waits(server):
    """More callers than connections: all are answered, none is refused, no connection is added."""
    async with client(server.url, max_connections=2) as redis:
        answers = await asyncio.gather(*(redis.incr("n") for _ in range(50)))

        assert list(range(1, 51)) == sorted(answers)
        assert len(await redis.client_list()) <= 2


async def test_a_blocking_command_outlasts_the_deadline_of_others(server):
    """BLPOP waits its own time although commands have a shorter one."""
    async with client(server.url, socket_timeout=0.5) as redis:
        assert await redis.blpop(["empty"], timeout=0.8) is None  # an engine looks at its clock ten times a second


async def test_blocking_commands_leave_connections_to_others(redis):
    """40 blocked readers: a SET is answered, and they hold a bounded number of connections."""
    blocked = [asyncio.create_task(redis.blpop(["queue"], timeout=30)) for _ in range(40)]
    await until(lambda: has_blocked(redis, CONNECTIONS))
    await redis.set("a", 1)
    connections = len(await redis.client_list())
    for _ in blocked:
        await redis.rpush("queue", "x")
    got = await asyncio.gather(*blocked)

    assert [(b"queue", b"x")] * 40 == [tuple(pair) for pair in got]
    assert connections == CONNECTIONS + 1


async def has_blocked(redis, count):
    return (await redis.info("clients"))["blocked_clients"] == count


async def test_xread_blocks_for_ever_when_told_to(redis):
    """BLOCK 0 has no deadline, and an entry ends it."""
    reader = asyncio.create_task(redis.xread({"s": "$"}, block=0))
    await until(lambda: has_blocked(redis, 1))
    await redis.xadd("s", {"a": "b"})

    assert await reader


async def test_a_cancelled_blocking_command_lets_go_of_its_connection(redis):
    """The server sees that nobody waits any more."""
    reader = asyncio.create_task(redis.blpop(["queue"], timeout=30))
    await until(lambda: has_blocked(redis, 1))
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader

    await until(lambda: has_blocked(redis, 0))


async def test_a_blocking_command_can_be_cancelled_at_every_moment(server):
    """Also while its connection is made, where `asyncio.wait_for` of Python 3.11 may swallow the cancellation."""
    for turns in range(20):
        async with client(server.url) as redis:
            reader = asyncio.create_task(redis.blpop(["queue"], timeout=30))
            for _ in range(turns):
                await asyncio.sleep(0)
            reader.cancel()
            done, _ = await asyncio.wait([reader], timeout=5)

            assert {reader} == done
            assert reader.cancelled()


async def test_a_client_can_be_closed_at_every_moment(server):
    """Who waits gets an error, and no connection stays, not even one that was just made."""
    for turns in range(1, 20):
        redis = Redis.from_url(server.url)
        waiting = asyncio.create_task(redis.ping())
        for _ in range(turns):
            await asyncio.sleep(0)
        await redis.aclose()
        await asyncio.wait([waiting], timeout=5)
        if waiting.exception():
            assert isinstance(waiting.exception(), errors.ConnectionError)
    async with client(server.url) as redis:
        await until(lambda: is_alone(redis))


async def is_alone(redis):
    return 1 == len(await redis.client_list())


async def test_cancelled_commands_leave_the_others_right_answers(redis):
    """A reply never goes to the wrong caller."""
    await redis.mset({f"k{i}": i for i in range(100)})
    tasks = [asyncio.create_task(redis.get(f"k{i}")) for i in range(100)]
    await asyncio.sleep(0)
    for task in tasks[::2]:
        task.cancel()
    answers = await asyncio.gather(*tasks, return_exceptions=True)

    assert all(answers[i] == str(i).encode() for i in range(1, 100, 2))


async def test_the_client_comes_back_after_a_restart(own_server, own_redis):
    """A connection that was cut while idle is replaced before it is used."""
    await own_redis.ping()
    await restart(own_server)

    assert await own_redis.ping()


async def test_a_single_connection_client_works(redis):
    """`client()` has one connection of its own."""
    async with redis.client() as one:
        await one.set("a", 1)

        assert b"1" == await one.get("a")


async def test_a_subclass_sees_every_command(server):
    """One that overrides `execute_command`, as libraries do, is not passed by."""
    seen = []

    class Watched(Redis):
        async def execute_command(self, *words, **options):
            seen.append(words[0])
            return await super().execute_command(*words, **options)

    async with Watched.from_url(server.url) as redis:
        for _ in range(2):
            await redis.set("a", 1)
            await redis.get("a")

    assert ["SET", "GET", "SET", "GET"] == seen


async def test_pipelines_and_pubsub_work(redis):
    """What redis-py has beyond single commands is there."""
    async with redis.pipeline(transaction=True) as pipe:
        answers = await pipe.set("a", 1).get("a").execute()
    async with redis.pubsub() as channel:
        await channel.subscribe("news")
        await redis.publish("news", "hello")
        message = await until(lambda: channel.get_message(ignore_subscribe_messages=True, timeout=0.1))

    assert [True, b"1"] == answers
    assert b"hello" == message["data"]


async def test_a_raw_reply_is_as_it_came(server):
    """Undecoded and not rearranged, whatever the client does otherwise."""
    for decode in (False, True):
        async with client(server.url, decode_responses=decode) as redis:
            await redis.hset("h", "é", "1")
            assert ["é".encode(), b"1"] == await redis.send_raw((b"EVAL", "return redis.call('HGETALL', 'h')", 0))
