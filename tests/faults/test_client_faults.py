"""What a server and a line can do to a client, one by one: what callers hear, and that it works afterwards."""

import asyncio
import time

import pytest
import redis.exceptions as errors

from redyard import events
from redyard.client.failures import ConnectionLost, TimedOut
from redyard.client.lane import ROOM
from tests.faults.conversation import outcome
from tests.support.clients import client, heard, start
from tests.support.proxy import DOWN, Proxy
from tests.support.wait import until

MB = 1024 * 1024


# ---- the server stops


@pytest.mark.parametrize(
    ("within", "longer"), [(0.5, 0.2), pytest.param(5, 2, marks=pytest.mark.soak)], ids=["short", "seven-seconds"]
)
async def test_a_stopped_server(own_server, within, longer):
    """While it stands still calls end in time and say that they may have run; afterwards the count is 1, once."""
    async with client(own_server.url, socket_timeout=within) as redis:
        await redis.ping()
        own_server.pause()
        began = time.monotonic()
        counted = await outcome(redis.incr("n"))
        noticed = time.monotonic() - began
        again = await outcome(redis.execute_command("INCR", "m", timeout=longer))
        own_server.resume()

        assert isinstance(counted, TimedOut)
        assert counted.maybe_ran
        assert within <= noticed < within * 1.25 + 0.3
        assert isinstance(again, TimedOut | ConnectionLost)
        assert await redis.set("works", 1)
        assert (b"1", 1) == (await redis.get("n"), await redis.incr("k"))
        assert await redis.get("m") in (b"1", None if not again.maybe_ran else b"1")


async def test_a_killed_server_that_comes_back(own_server):
    """What was not sent when it died is sent when it is back, once, within the deadline of its callers."""
    async with client(own_server.url, socket_timeout=10) as redis:
        await redis.ping()
        with heard(events.CLIENT_RECONNECTING) as seen:
            await asyncio.to_thread(own_server.kill)
            await until(lambda: seen)
        calls = [asyncio.create_task(redis.incr("n")) for _ in range(100)]
        await start(own_server)

        assert list(range(1, 101)) == await asyncio.gather(*calls)


async def test_a_server_that_stays_away(own_server):
    """Calls end at their deadline, say that they did not run, and why; none of them runs when it is back."""
    async with client(own_server.url, socket_timeout=0.3) as redis:
        await redis.ping()
        await asyncio.to_thread(own_server.kill)
        await outcome(redis.ping())
        answers = await asyncio.gather(*(outcome(redis.incr("n")) for _ in range(100)))
        await start(own_server)

        assert {ConnectionLost} == {type(answer) for answer in answers}
        assert not any(answer.maybe_ran for answer in answers)
        assert "did not run" in str(answers[0])
        assert [None] == await until(lambda: outcome_as_list(redis.get("n")))


async def outcome_as_list(call):
    answer = await outcome(call)
    return [] if isinstance(answer, Exception) else [answer]


async def test_what_was_given_up_is_not_sent_later(own_server):
    """A connection that is greeted only after the deadline carries none of the commands that were said not to run."""
    async with Proxy(own_server.port) as proxy, client(proxy.url(own_server), socket_timeout=0.3) as redis:
        proxy.hold(DOWN)  # it connects, and the greeting is not answered
        given_up = await outcome(redis.incr("n"))
        patient = asyncio.create_task(redis.execute_command("ECHO", "later", timeout=10))
        proxy.release()

        assert not given_up.maybe_ran
        assert b"later" == await patient
        assert await redis.get("n") is None


async def test_an_idempotent_call_does_not_deny_that_it_ran(own_server):
    """It ran, its answer was lost, and there is no other connection to send it again: the error tells."""
    async with Proxy(own_server.port) as proxy, client(proxy.url(own_server), socket_timeout=0.5) as redis:
        await redis.ping()
        proxy.hold(DOWN)
        call = asyncio.create_task(outcome(redis.execute_command("INCR", "n", idempotent=True)))
        await until(lambda: own_server.admin("GET", "n"))
        proxy.refuse()
        proxy.cut()
        answer = await call

        assert isinstance(answer, ConnectionLost)
        assert answer.maybe_ran


# ---- one call and the others


async def test_a_huge_reply_beside_small_ones(server):
    """100 MB come while others ask: everybody gets what he asked for."""
    server.admin("CONFIG", "SET", "proto-max-bulk-len", 512 * MB, "maxmemory", 0, "maxmemory-clients", 0)
    try:
        async with client(server.url, socket_timeout=30) as redis:
            server.admin("SETRANGE", "huge", 100 * MB - 1, "x")
            huge = asyncio.create_task(redis.get("huge"))
            small = await asyncio.gather(*(redis.echo(f"small-{n}") for n in range(200)))

            assert [f"small-{n}".encode() for n in range(200)] == small
            assert 100 * MB == len(await huge)
            assert 1 == redis.stats.connects
    finally:
        server.admin("CONFIG", "SET", "maxmemory", 64 * MB, "maxmemory-clients", 16 * MB)


async def test_cancellations_open_no_connection(server):
    """1,000 callers leave before they are answered; one connection carries them and those who stay."""
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis:
        await redis.ping()
        proxy.hold(DOWN)
        leaving = [asyncio.create_task(redis.echo(f"leaves-{n}")) for n in range(1000)]
        staying = [asyncio.create_task(redis.echo(f"stays-{n}")) for n in range(100)]
        await until(lambda: redis.in_flight == 1100)
        for call in leaving:
            call.cancel()
        await asyncio.gather(*leaving, return_exceptions=True)
        proxy.release()

        assert [f"stays-{n}".encode() for n in range(100)] == await asyncio.gather(*staying)
        assert all(call.cancelled() for call in leaving)
        assert 1 == proxy.connections


async def test_a_thousand_callers_share_one_connection(server):
    """However many ask, the server sees one client."""
    async with Proxy(server.port) as proxy, client(proxy.url(server)) as redis:
        answers = await asyncio.gather(*(redis.incr("n") for _ in range(1000)))

        assert list(range(1, 1001)) == answers
        assert 1 == proxy.connections


async def test_a_full_server(own_server):
    """The one who wants to write hears that there is no room; readers and the connection are not concerned."""
    own_server.admin("CONFIG", "SET", "maxmemory", 1)
    async with client(own_server.url) as redis:
        refused, read = await asyncio.gather(outcome(redis.set("a", 1)), redis.get("a"))

        assert isinstance(refused, errors.OutOfMemoryError)
        assert read is None
        assert 1 == redis.stats.connects


async def test_a_flood_at_a_stopped_server_waits(own_server):
    """Of far more calls than there is room for, only so many are sent; none fails, all are answered."""
    async with client(own_server.url, socket_timeout=60) as redis:
        await redis.ping()
        own_server.pause()
        calls = [asyncio.create_task(redis.incr("n")) for _ in range(3 * ROOM)]
        for _ in range(20):
            await asyncio.sleep(0)
        sent = redis.stats.commands["INCRBY"]
        own_server.resume()
        answers = await asyncio.gather(*calls)

        assert ROOM == sent
        assert list(range(1, 3 * ROOM + 1)) == sorted(answers)


async def test_batches_larger_than_the_room(server):
    """They go whole, one after the other; what comes after waits for its turn."""
    async with client(server.url, socket_timeout=60) as redis:
        several = [redis.pipeline(transaction=transaction) for transaction in (True, False, True)]
        for pipe in several:
            for _ in range(ROOM + 1):
                pipe.incr("n")
        *batches, last = await asyncio.gather(*(pipe.execute() for pipe in several), redis.incr("n"))

    assert [list(range(first, first + ROOM + 1)) for first in (1, ROOM + 2, 2 * ROOM + 3)] == batches
    assert 3 * (ROOM + 1) + 1 == last


async def test_a_flood_without_a_server_ends(own_server):
    """Those who wait for room are not forgotten when nobody ever makes a connection."""
    async with client(own_server.url, socket_timeout=0.5) as redis:
        await asyncio.to_thread(own_server.kill)
        calls = [asyncio.create_task(outcome(redis.incr("n"))) for _ in range(3 * ROOM)]
        answers = await asyncio.wait_for(asyncio.gather(*calls), 20)

        assert 3 * ROOM == sum(isinstance(answer, ConnectionLost | TimedOut) for answer in answers)


async def test_who_waits_for_room_is_let_go_by_a_close(own_server):
    """Closing the client ends every wait."""
    async with client(own_server.url, socket_timeout=5) as redis:
        await redis.ping()
        own_server.pause()
        calls = [asyncio.create_task(outcome(redis.ping())) for _ in range(3 * ROOM)]
        for _ in range(20):
            await asyncio.sleep(0)
        await redis.aclose()
        own_server.resume()

        assert 3 * ROOM == len(await asyncio.wait_for(asyncio.gather(*calls), 20))


async def test_a_slow_call_with_time_of_its_own(own_server):
    """A call that was given more time than others is not taken for a dead connection."""
    async with client(own_server.url, socket_timeout=0.2) as redis:
        await redis.ping()
        own_server.pause()
        slow = asyncio.create_task(redis.execute_command("INCR", "n", timeout=10))
        usual = asyncio.create_task(outcome(redis.ping()))
        answer = await usual
        own_server.resume()

        assert isinstance(answer, TimedOut)
        assert 1 == await slow
        assert 1 == redis.stats.connects
