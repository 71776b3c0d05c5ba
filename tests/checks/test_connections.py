"""Problems of connections and buffers, each made on a real engine."""

import socket
from contextlib import ExitStack, suppress

import pytest
import redis

from redyard.checks import Facts
from tests.support.odd import diagnose, settle

MB = 1024 * 1024


def lines(server, stack, count):
    """Open connections that do nothing."""
    return [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(count)]


def unread(server, stack, command, times):
    """Ask for much on a small buffer and never read it."""
    line = stack.enter_context(socket.socket())
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    line.connect(("127.0.0.1", server.port))
    line.sendall(command * times)
    return line


async def test_all_connections_are_taken(odd):
    """P22: the server's own words; one is left to ask by, and it says so as well."""
    server = odd("--maxclients", 20)
    with ExitStack() as stack:
        held = lines(server, stack, 20)
        refused = await diagnose(server)
        held[0].close()
        settle(lambda: int(_info(held[1], "connected_clients")) < 20)
        near = await diagnose(server)

    assert {"P22"} == refused.alarms
    assert "max number of clients" in refused["P22"].evidence["greeting"]
    assert {"P22"} == near.alarms


def _info(line, field):
    line.sendall(b"INFO clients\r\n")
    text = line.recv(65536).decode()
    return text.partition(f"{field}:")[2].splitlines()[0]


async def test_the_apps_own_pool_is_empty(odd):
    """P23: the message is the pool's, and the server has room."""
    server = odd()
    pool = redis.ConnectionPool(port=server.port, max_connections=2)
    held = [pool.get_connection() for _ in range(2)]
    with pytest.raises(redis.ConnectionError) as error:
        pool.get_connection()
    found = await diagnose(server, facts=Facts(app_error=f"{error.typename}: {error.value}"))
    for connection in held:
        connection.disconnect()

    assert {"P23"} == found.alarms


async def test_a_client_that_does_not_read(odd):
    """P25: who it is, and how much waits for it."""
    server = odd("--client-output-buffer-limit", "normal 0 0 0")
    server.do("SET", "big", "x" * MB)
    with ExitStack() as stack:
        unread(server, stack, b"GET big\r\n", 60)
        settle(lambda: any(int(row["omem"]) > 9 * MB for row in server.client().client_list()))
        found = await diagnose(server)

    assert {"P25"} == found.alarms
    assert "CLIENT KILL ID" in found["P25"].remedy


async def test_a_subscriber_that_was_cut_off(odd, engine):
    """P26: Valkey counts them; Redis 7 does not, and nothing is invented."""
    server = odd("--client-output-buffer-limit", "pubsub 256kb 128kb 1")
    with ExitStack() as stack:
        unread(server, stack, b"SUBSCRIBE news\r\n", 1)
        settle(lambda: server.do("PUBSUB", "NUMSUB", "news")[1] == 1)
        settle(lambda: server.do("PUBLISH", "news", "x" * MB) == 0)
        found = await diagnose(server)

    assert ({"P26"} if engine.name == "valkey" else set()) == found.alarms


async def test_a_request_that_is_too_big(odd, engine):
    """P27: by Valkey's counter, or by what the app was told."""
    server = odd("--client-query-buffer-limit", "1mb")
    with socket.create_connection(("127.0.0.1", server.port)) as line, suppress(ConnectionError):
        line.sendall(b"*2\r\n$3\r\nGET\r\n$9000000\r\n" + b"x" * 8 * MB)
        while line.recv(1024):
            pass
    counted = await diagnose(server)
    told = await diagnose(server, facts=Facts(app_error="Protocol error: invalid bulk length"))

    assert ({"P27"} if engine.name == "valkey" else set()) == counted.alarms
    assert {"P27"} == told.alarms


def _evicted(server):
    """Say whether a client was cut off; the one that asks may be."""
    with suppress(redis.ConnectionError):
        return int(server.client().info("stats")["evicted_clients"]) > 0
    return False


async def test_clients_cut_off_to_save_memory(odd):
    """P28: the buffers of all together were over the limit."""
    server = odd()
    server.do("SET", "big", "x" * MB)
    server.do("CONFIG", "SET", "maxmemory-clients", "1mb")
    with ExitStack() as stack:
        unread(server, stack, b"GET big\r\n", 30)
        settle(lambda: _evicted(server))
        found = await diagnose(server)

    assert {"P28"} <= found.alarms


@pytest.mark.soak
@pytest.mark.timeout(200)
async def test_forgotten_connections(odd):
    """P24: sixty of one client that did nothing for a minute."""
    server = odd()
    with ExitStack() as stack:
        for line in lines(server, stack, 60):
            line.sendall(b"PING\r\n")
            line.recv(10)
        settle(lambda: max(int(row["idle"]) for row in server.client().client_list()) >= 61, 90)
        found = await diagnose(server)

    assert {"P24"} == found.alarms


async def test_a_forgotten_monitor(odd):
    """It gets each command, and costs the server half of its speed."""
    server = odd()
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        line.sendall(b"MONITOR\r\n")
        line.recv(10)
        found = await diagnose(server)

    assert {"monitor"} == found.alarms
