"""Faults of streams and channels, each made on a real engine."""

import socket

import pytest

from tests.support.odd import diagnose, settle

HOUR = 3_600_000


def stream(server, entries, *, read):
    """Add entries, make a group, and let a consumer read so many of them."""
    server.do("XGROUP", "CREATE", "orders", "mail", 0, "MKSTREAM")
    server.do("EVAL", "for i = 1, ARGV[1] do redis.call('XADD', 'orders', '*', 'n', i) end", 0, entries)
    return server.do("XREADGROUP", "GROUP", "mail", "ada", "COUNT", read, "STREAMS", "orders", ">") if read else []


@pytest.mark.parametrize(
    "how", [("IDLE", HOUR + 1000), ("RETRYCOUNT", 20)], ids=["a dead consumer", "a poisoned entry"]
)
async def test_an_entry_that_nobody_acknowledges(odd, how):
    """Its consumer took it an hour ago, or fails at it again and again."""
    server = odd("--appendonly", "yes")
    stream(server, 3, read=3)
    first = server.client().xpending_range("orders", "mail", "-", "+", 1)[0]["message_id"]
    server.do("XCLAIM", "orders", "mail", "ada", 0, first, *how)
    found = await diagnose(server)

    assert {"unacknowledged"} == found.alarms
    assert ("orders", "mail", 3) == tuple(
        found["unacknowledged"].evidence[name] for name in ("stream", "group", "pending")
    )
    assert ("fails at it" in found["unacknowledged"].cause) == (how[0] == "RETRYCOUNT")


async def test_a_consumer_that_never_acknowledges(odd):
    """A thousand entries were read and none is done; a few are told and no alarm, and none where all are done."""
    server = odd("--appendonly", "yes")
    entries = stream(server, 1200, read=5)
    few = await diagnose(server)
    server.do("XACK", "orders", "mail", *(identifier for identifier, _ in entries[0][1]))
    working = await diagnose(server)
    server.do("XGROUP", "SETID", "orders", "mail", 0, "ENTRIESREAD", 0)
    server.do("XREADGROUP", "GROUP", "mail", "ada", "COUNT", 1200, "STREAMS", "orders", ">")
    found = await diagnose(server)

    assert set() == few.alarms
    assert "unacknowledged" not in working
    assert {"unacknowledged"} == found.alarms
    assert "XAUTOCLAIM orders mail" in found["unacknowledged"].remedy


async def test_a_group_without_consumers(odd):
    """Entries wait for it, and nobody ever read as one of it."""
    server = odd("--appendonly", "yes")
    stream(server, 7, read=0)
    found = await diagnose(server)

    assert {"unread"} == found.alarms
    assert 7 == found["unread"].evidence["lag"]


async def test_events_of_keys_that_are_not_sent(odd):
    """A client waits for the end of sessions, and the server is not told to say it."""
    server = odd("--notify-keyspace-events", "Kg")
    with server.client(client_name="waiter") as client, client.pubsub() as listener:
        listener.subscribe("__keyevent@0__:expired")
        listener.get_message(timeout=5)
        silent = await diagnose(server)
        server.do("CONFIG", "SET", "notify-keyspace-events", "Ex")
        sent = await diagnose(server)

    assert {"silent-events"} == silent.alarms
    assert "notify-keyspace-events Ex" in silent["silent-events"].remedy
    assert set() == sent.alarms


async def test_a_subscriber_that_does_not_read(odd):
    """Some is told, much is an alarm; the limit of subscribers is shown, and what ends it."""
    server = odd("--client-output-buffer-limit", "pubsub 0 0 0")
    with socket.socket() as line:
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        line.connect(("127.0.0.1", server.port))
        line.sendall(b"SUBSCRIBE news\r\n")
        settle(lambda: server.do("PUBSUB", "NUMSUB", "news")[1] == 1)
        found = []
        for megabytes in (6, 10):  # the network's own buffers take four
            server.do(
                "EVAL", f"for i = 1, {megabytes * 100} do redis.call('PUBLISH', 'news', string.rep('x', 10000)) end", 0
            )
            server.do("SLOWLOG", "RESET")
            found.append(await diagnose(server))

    assert [set(), {"subscriber"}] == [one.alarms for one in found]
    assert "subscriber" in found[0]
    assert "CLIENT KILL ID" in found[1]["subscriber"].remedy
