"""Event loops that end and processes that fork while a client is connected."""

import asyncio
import gc
import os

from redyard import Redis
from tests.faults.conversation import outcome
from tests.faults.test_schedules import LOOPS
from tests.support.clients import client
from tests.support.loops import LEAVES_LOOPS

pytestmark = LEAVES_LOOPS


@LOOPS
def test_a_client_lives_through_event_loops(server, new_loop):
    """Used in one run after the other, it connects anew in each, for plain and for blocking commands."""
    redis = Redis.from_url(server.url)

    async def use(number):
        await asyncio.gather(*(redis.blpop(["empty"], timeout=0.01) for _ in range(20)))
        return await redis.incr("n"), await redis.execute_command("ECHO", str(number))

    for number in range(3):
        with asyncio.Runner(loop_factory=new_loop) as runner:
            assert (number + 1, str(number).encode()) == runner.run(use(number))
    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(redis.aclose())


@LOOPS
def test_an_event_loop_closed_with_commands_in_flight(own_server, new_loop):
    """Those commands are gone with their loop; in the next one the client is as new."""
    redis = Redis.from_url(own_server.url)

    async def leave():
        await redis.ping()
        own_server.pause()
        calls = [asyncio.create_task(redis.incr("n")) for _ in range(100)]
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        return calls

    async def come():
        own_server.resume()
        try:
            return await redis.echo("new")
        finally:
            await redis.aclose()

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(leave())
    with asyncio.Runner(loop_factory=new_loop) as runner:
        assert b"new" == runner.run(come())


async def test_a_fork(server):
    """A child connects for itself; its parent's connections are unharmed, whatever the child does and collects."""
    async with client(server.url) as redis:
        await redis.blpop(["empty"], timeout=0.01)
        before = [asyncio.create_task(redis.echo(f"before-{n}")) for n in range(100)]
        await asyncio.sleep(0)
        child = os.fork()
        if child == 0:
            os._exit(in_child(redis))
        after = [asyncio.create_task(redis.echo(f"after-{n}")) for n in range(100)]

        assert [f"before-{n}".encode() for n in range(100)] == await asyncio.gather(*before)
        assert [f"after-{n}".encode() for n in range(100)] == await asyncio.gather(*after)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert 0 == status
        assert b"still" == await redis.echo("still")
        assert await redis.blpop(["empty"], timeout=0.01) is None
        assert 1 == redis.stats.connects


async def test_a_fork_in_the_turn_of_a_send(server):
    """What the parent was about to send is its own: the child sends nothing of it, and its own commands go out."""
    async with client(server.url) as redis:
        await redis.ping()
        sent = [asyncio.create_task(redis.incr("n")) for _ in range(2)]
        await asyncio.sleep(0)  # they run up to their sends; the turn's write is still to come
        unsent = redis.stats.commands["INCRBY"] < len(sent)
        child = os.fork()
        if child == 0:
            os._exit(in_child(redis))

        assert unsent
        assert [1, 2] == await asyncio.gather(*sent)
        _, status = await asyncio.to_thread(os.waitpid, child, 0)
        assert 0 == status
        assert b"2" == await redis.get("n")


def in_child(redis):
    """Use the client in a loop of the child's own; return its exit status."""

    async def use():
        echoes = await asyncio.gather(*(outcome(redis.echo(f"child-{n}")) for n in range(100)))
        await redis.rpush("of the child", "x")
        popped = await outcome(redis.blpop(["of the child"], timeout=5))
        gc.collect()
        await redis.aclose()
        return echoes == [f"child-{n}".encode() for n in range(100)], popped[1] == b"x"

    try:
        first, second = asyncio.run(asyncio.wait_for(use(), 20))
        return (not first) + 2 * (not second)
    except BaseException:  # noqa: BLE001 - whatever it is, the child must not go on as a second test run
        return 9
