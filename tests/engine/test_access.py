"""What each user of an engine may do, by really doing it."""

import hashlib
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
import redis
from redis.exceptions import NoPermissionError, ResponseError

from redyard.engine import access
from tests.support.servers import PASSWORDS, Server

REFUSED = r"no permissions|not allowed|ACL failure|can't run this command"
"""How an engine says no: by the user's rights; or, for DEBUG and MODULE, to everybody; or to a script."""

APP_MAY = [
    "PING", "ECHO hello", "INFO", "DBSIZE", "SELECT 3", "SET k v", "GETDEL k", "INCR n", "EXPIRE n 10", "HSET h f v",
    "LPUSH l 3 1 2", "SORT l", "SORT l STORE sorted", "SORT_RO l", "ZADD z 1 a", "ZPOPMIN z", "BLPOP nothing 0.01",
    "XADD s * f v", "XRANGE s - +", "SCAN 0", "TYPE l", "DEL l", "UNLINK h", "PUBLISH channel hello",
    "EVAL return{1} 0", "SCRIPT LOAD return{1}", "FUNCTION LIST", "CLIENT SETNAME app", "CLIENT ID", "CLIENT LIST",
    "CLIENT SETINFO lib-name kit", "CLIENT GETNAME", "CLIENT TRACKING ON", "CLIENT TRACKING OFF", "COMMAND INFO get",
    "MEMORY USAGE n", "OBJECT ENCODING n", "PFADD p 1", "GEOADD g 1 1 a", "SETBIT b 1 1", "WAIT 0 10",
]  # fmt: skip

APP_MAY_NOT = [
    "FLUSHALL", "FLUSHDB", "SWAPDB 0 1", "KEYS *", "CONFIG GET *", "CONFIG SET maxmemory 1", "CONFIG REWRITE",
    "CONFIG RESETSTAT", "SHUTDOWN NOSAVE", "DEBUG SLEEP 0", "DEBUG JMAP", "MONITOR", "SAVE", "BGSAVE", "BGREWRITEAOF",
    "LASTSAVE", "REPLICAOF 127.0.0.1 1", "SLAVEOF 127.0.0.1 1", "FAILOVER", "PSYNC ? -1", "SYNC", "REPLCONF ACK 1",
    "MIGRATE 127.0.0.1 1 k 0 10", "RESTORE k 0 x", "CLIENT KILL TYPE normal", "CLIENT PAUSE 10", "CLIENT UNPAUSE",
    "CLIENT NO-EVICT ON", "SLOWLOG GET", "SLOWLOG RESET", "LATENCY RESET", "MODULE LIST", "MODULE LOAD /tmp/x.so",
    "ACL LIST", "ACL WHOAMI", "ACL SETUSER default nopass", "ACL GETUSER yard", "ACL SAVE", "CLUSTER RESET", "ROLE",
    "PFDEBUG ENCODING p",
]  # fmt: skip

MONITOR_MAY = [
    "PING", "GET k", "HGETALL h", "SCAN 0", "TYPE k", "DBSIZE", "INFO", "CONFIG GET maxmemory", "SLOWLOG GET 10",
    "SLOWLOG LEN", "LATENCY LATEST", "LATENCY DOCTOR", "LATENCY HISTOGRAM", "LATENCY HISTORY command", "CLIENT LIST",
    "MEMORY USAGE k", "MEMORY STATS", "OBJECT ENCODING k", "ROLE", "COMMAND INFO get",
]  # fmt: skip

MONITOR_MAY_NOT = [
    "SET k v", "DEL k", "GETDEL k", "GETEX k EX 1", "EXPIRE k 1", "LPUSH l 1", "LPOP l", "SORT l STORE x",
    "XADD s * f v", "EVAL return{1} 0", "FUNCTION FLUSH", "PUBLISH c m", "FLUSHALL", "CONFIG SET maxmemory 1",
    "SLOWLOG RESET", "LATENCY RESET", "KEYS *", "SHUTDOWN", "DEBUG JMAP", "ACL LIST", "CLIENT KILL TYPE normal",
    "CLIENT PAUSE 10", "MONITOR", "BGSAVE", "SCRIPT FLUSH", "MEMORY PURGE", "SUBSCRIBE c",
]  # fmt: skip

REPLICATION_MAY_NOT = [
    "GET k", "SET k v", "SCAN 0", "INFO", "CONFIG GET *", "DBSIZE", "SYNC", "CLIENT LIST", "EVAL return{1} 0",
    "SELECT 0", "PUBLISH c m", "SUBSCRIBE c", "SHUTDOWN", "ROLE", "ECHO x", "COMMAND INFO get", "DEL k",
    "REPLICAOF NO ONE", "ACL LIST", "FLUSHALL",
]  # fmt: skip


@contextmanager
def connected(server: Server, user: str) -> Iterator[redis.Redis]:
    """Yield a single connection as one of the users."""
    with redis.Redis(
        port=server.port, username=user, password=PASSWORDS[user], single_connection_client=True, protocol=2
    ) as client:
        yield client


@contextmanager
def line(server: Server, *, unix: bool = False) -> Iterator[socket.socket]:
    """Yield a bare connection that has not said who it is."""
    with socket.socket(socket.AF_UNIX if unix else socket.AF_INET) as bare:
        bare.settimeout(5)
        bare.connect(str(server.seat.socket) if unix else ("127.0.0.1", server.port))
        yield bare


def refusal(client: redis.Redis, *command: str) -> str | None:
    """Run a command; return why the engine refused it, or None. A command that it does not know is not refused."""
    try:
        client.execute_command(*(command if len(command) > 1 else command[0].split()))
    except ResponseError as error:
        return None if "unknown subcommand" in str(error).lower() else f"{type(error).__name__}: {error}"
    return None


def prepared(server: Server) -> None:
    """Give the commands of the tables something to read."""
    server.admin("SET", "k", "v")
    server.admin("HSET", "h", "f", "v")
    server.admin("LPUSH", "l", "1")
    server.admin("SET", "n", "1")


@pytest.mark.parametrize("command", APP_MAY)
def test_app_may(server, command):
    """An app may run all data commands and what clients and queues need."""
    prepared(server)
    with connected(server, "default") as client:
        refused = refusal(client, command)

    assert refused is None


@pytest.mark.parametrize("command", APP_MAY_NOT)
def test_app_may_not(server, command):
    """An app may run nothing that is dangerous to others, and nothing that administers the engine."""
    with connected(server, "default") as client:
        refused = refusal(client, command)

    assert re.search(REFUSED, refused)


@pytest.mark.parametrize("command", APP_MAY_NOT)
def test_app_may_not_from_a_script(server, command):
    """A script runs with the rights of the app that sent it."""
    with connected(server, "default") as client:
        refused = refusal(client, "EVAL", "return redis.call(unpack(ARGV))", "0", *command.split())

    assert re.search(REFUSED, refused)


def test_app_may_not_from_a_function(server):
    """A function that an app loaded has the app's rights."""
    code = "#!lua name=lib\nredis.register_function('wipe', function() return redis.call('FLUSHALL') end)"
    server.admin("SET", "k", "v")
    with connected(server, "default") as client:
        client.execute_command("FUNCTION", "LOAD", "REPLACE", code)
        refused = refusal(client, "FCALL wipe 0")
        client.execute_command("FUNCTION", "DELETE", "lib")

    assert re.search(REFUSED, refused)
    assert 1 == server.admin("EXISTS", "k")


def test_app_may_watch_and_transact(server):
    """A transaction of an app runs, and a forbidden command spoils it before it runs."""
    with connected(server, "default") as client:
        allowed = [refusal(client, command) for command in ("WATCH k", "MULTI", "SET k v", "EXEC")]
        client.execute_command("MULTI")
        refused = [refusal(client, command) is not None for command in ("SET k w", "FLUSHALL", "EXEC")]

    assert ([None] * 4, [False, True, True]) == (allowed, refused)
    assert b"v" == server.admin("GET", "k")


@pytest.mark.parametrize("command", MONITOR_MAY)
def test_monitor_may(server, command):
    """The monitor reads keys, INFO, CONFIG, SLOWLOG and LATENCY."""
    prepared(server)
    with connected(server, "monitor") as client:
        refused = refusal(client, command)

    assert refused is None


@pytest.mark.parametrize("command", MONITOR_MAY_NOT)
def test_monitor_may_not(server, command):
    """The monitor changes nothing, not even what it reads."""
    prepared(server)
    with connected(server, "monitor") as client:
        refused = refusal(client, command)

    assert re.search(REFUSED, refused)


def test_replica_may_follow(own_server):
    """The replication user may say hello as a replica does and gets the stream of writes."""
    with line(own_server) as replica:
        said = []
        for command in (f"AUTH replication {PASSWORDS['replication']}", "PING", "REPLCONF capa psync2", "PSYNC ? -1"):
            replica.sendall(command.encode() + b"\r\n")
            said.append(replica.recv(1024).split()[0])

    assert [b"+OK", b"+PONG", b"+OK", b"+FULLRESYNC"] == said


@pytest.mark.parametrize("command", REPLICATION_MAY_NOT)
def test_replica_may_not(server, command):
    """The replication user may do nothing else."""
    with connected(server, "replication") as client, pytest.raises(NoPermissionError):
        client.execute_command(*command.split())


@pytest.mark.parametrize("command", ["CONFIG GET maxmemory", "KEYS *", "ACL LIST", "FLUSHDB", "SLOWLOG RESET"])
def test_yard_may_do_everything(server, command):
    """The yard's user may do what the others may not."""
    with connected(server, "yard") as client:
        refused = refusal(client, command)

    assert refused is None


@pytest.mark.parametrize("unix", [False, True], ids=["tcp", "unix"])
@pytest.mark.parametrize("command", [b"PING\r\n", b"GET k\r\n", b"INFO\r\n", b"FLUSHALL\r\n"])
def test_nobody_is_let_in_without_a_password(server, unix, command):
    """Without a password nothing runs, not even PING, over TCP and the Unix socket alike."""
    with line(server, unix=unix) as stranger:
        stranger.sendall(command)
        said = stranger.recv(1024)

    assert said.startswith(b"-NOAUTH")


@pytest.mark.parametrize("user", access.TABLE, ids=lambda user: user.name)
def test_wrong_password_is_refused(server, user):
    """No user is let in by another password or an empty one."""
    replies = []
    for password in ("wrong", '""', PASSWORDS["yard" if user.name != "yard" else "default"]):
        with line(server) as stranger:
            stranger.sendall(f"AUTH {user.name} {password}\r\n".encode())
            replies.append(stranger.recv(1024).split()[0])

    assert [b"-WRONGPASS"] * 3 == replies


def test_engine_has_the_table_s_users(server):
    """The engine knows the users of the table and no other."""
    assert {user.name for user in access.TABLE} == {name.decode() for name in server.admin("ACL", "USERS")}


def test_file_has_hashes_and_no_password(server):
    """The engine's file has the SHA-256 of each password and none of the passwords."""
    text = server.seat.users.read_text()
    hashes = {hashlib.sha256(password.encode()).hexdigest() for password in PASSWORDS.values()}

    assert (set(), []) == ({each for each in hashes if each not in text}, [p for p in PASSWORDS.values() if p in text])


@pytest.mark.parametrize("user", access.TABLE, ids=lambda user: user.name)
def test_user_has_a_purpose(user):
    """Each user says what it is for."""
    assert user.purpose.endswith(".")
