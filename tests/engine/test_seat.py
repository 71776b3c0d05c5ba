"""An engine's place: its files, its start, its end, and what it does at its limits."""

import hashlib
import os
import socket
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import psutil
import pytest
import redis

from redyard.engine import seat as module
from redyard.engine.directives import RESERVED_CONNECTIONS
from redyard.engine.files import last_lines
from redyard.engine.lock import leader
from redyard.engine.process import start_mark
from redyard.engine.seat import Seat, quote
from redyard.errors import DirectoryBusy, EngineUnusable
from tests.support.servers import MB, PASSWORDS, Server
from tests.support.wait import wait_until

ODD_NAMES = ["with space", 'quote\'s "two"', "ümläut", "back\\slash", "#hash", "line\nbreak", os.fsdecode(b"byte \xff")]
SECRETS = [secret for word in PASSWORDS.values() for secret in (word, hashlib.sha256(word.encode()).hexdigest())]

STARTER = """
import sys
from pathlib import Path
from redyard.engine.find import examine
from redyard.engine.seat import Seat
print(Seat(Path(sys.argv[1]), Path(sys.argv[2])).spawn(examine(sys.argv[3])).pid)
"""


def answers(seat: Seat) -> bool:
    """Say whether the engine of a seat answers over its socket."""
    with redis.Redis(unix_socket_path=str(seat.socket), username="yard", password=PASSWORDS["yard"]) as admin:
        try:
            return bool(admin.ping())
        except redis.RedisError:
            return False


@contextmanager
def connected(server: Server, user: str = "default") -> Iterator[socket.socket]:
    """Yield a bare connection of a user."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as line:
        line.sendall(f"AUTH {user} {PASSWORDS[user]}\r\n".encode())
        assert line.recv(64) == b"+OK\r\n"
        yield line


def test_engine_answers(server):
    """A started engine answers its own user."""
    assert server.admin("PING") is True


def test_app_comes_in_over_tcp_and_the_socket(server):
    """An app's user is let in over TCP and over the Unix socket."""
    with (
        redis.Redis.from_url(server.url) as tcp,
        redis.Redis(unix_socket_path=str(server.seat.socket), password=PASSWORDS["default"]) as unix,
    ):
        replies = [client.set("k", "v") for client in (tcp, unix)]

    assert [True, True] == replies


def test_no_password_in_the_process_list(own_server):
    """No command line of the engine or its save child has a password, nor does their environment."""
    with redis.Redis.from_url(own_server.admin_url) as admin:
        admin.mset({str(number): "x" for number in range(1000)})
        admin.config_set("rdb-key-save-delay", 50000)
        admin.bgsave()
    engine = psutil.Process(own_server.process.pid)
    processes = [engine, *wait_until(engine.children)]
    seen = " ".join(" ".join(each.cmdline()) + str(each.environ()) for each in processes)

    assert (2, []) == (len(processes), [secret for secret in SECRETS if secret in seen])


def test_no_password_at_the_start(engine, seat):
    """The command line names the program and its file from the first moment on."""
    process = seat.spawn(engine)
    seen = psutil.Process(process.pid).cmdline()
    process.close()

    assert [] == [secret for secret in SECRETS if secret in " ".join(seen)]


def test_no_password_in_log_and_configuration(own_server):
    """Neither the log nor the configuration has a password or its hash, not even after a wrong one was tried."""
    with socket.create_connection(("127.0.0.1", own_server.port), timeout=5) as stranger:
        stranger.sendall(f"AUTH monitor {PASSWORDS['yard']}\r\n".encode())
        stranger.recv(64)
    own_server.restart()
    text = own_server.seat.log.read_text() + own_server.seat.configuration.read_text()

    assert [] == [secret for secret in SECRETS if secret in text]


def test_configuration_gives_reasons(server):
    """The file says why each setting has its value."""
    text = server.seat.configuration.read_text()

    assert [] == [row.name for row in module.directives.TABLE if f"# {row.why}\n{row.name} " not in text]


@pytest.mark.parametrize("name", ODD_NAMES, ids=ascii)
def test_odd_directory(engine, make_seat, name):
    """A directory and a socket may have any characters in their names."""
    seat = make_seat(name)
    process = seat.spawn(engine)
    wait_until(lambda: answers(seat) or not process.alive())
    running = process.alive()
    process.close()

    assert (True, True) == (running, (seat.data / "appendonlydir").is_dir())


@pytest.mark.parametrize(
    ("value", "written"),
    [("abc-1.5_/x", "abc-1.5_/x"), ("", '""'), ("a b", '"a b"'), ('"', '"\\""'), ("\\", '"\\\\"'), ("a\n", '"a\\n"')],
)
def test_quote(value, written):
    """A value is quoted only where it must be."""
    assert written == quote(value)


def test_everything_is_private(own_server):
    """Every file is readable by its owner alone and every directory open to him alone, also what the engine wrote."""
    own_server.admin("SET", "k", "v")
    own_server.admin("SAVE")
    own_server.admin("BGREWRITEAOF")
    wait_until(lambda: not own_server.admin("INFO", "persistence")["aof_rewrite_in_progress"])
    own_server.restart()
    root = own_server.seat.directory
    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in (root, *root.rglob("*"))}
    wanted = {path: 0o700 if path.is_dir() else 0o600 for path in modes}

    assert wanted == modes
    assert 0o700 == stat.S_IMODE(own_server.seat.socket.parent.stat().st_mode)
    assert 0o600 == stat.S_IMODE(own_server.seat.socket.stat().st_mode)


def test_engine_outlives_its_starter(engine, seat):
    """An engine goes on when the process that started it has ended, and can be found."""
    arguments = [str(seat.directory), str(seat.socket), engine.path]
    started = subprocess.run([sys.executable, "-c", STARTER, *arguments], capture_output=True, text=True, check=True)
    wait_until(lambda: answers(seat))
    found = leader(seat.lock)
    found.close()

    assert int(started.stdout) == found.pid == os.getsid(found.pid)


def test_engine_outlives_the_thread_that_started_it(engine, seat):
    """An engine that a thread started goes on when the thread has ended."""
    started = []
    thread = threading.Thread(target=lambda: started.append(seat.spawn(engine)))
    thread.start()
    thread.join()
    wait_until(lambda: answers(seat))
    alive = started[0].alive()
    started[0].close()

    assert alive


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda data: (data / "appendonlydir" / "appendonly.aof.manifest").write_text("no manifest\n"), "manifest"),
        (lambda data: spoil(data / "appendonlydir" / "appendonly.aof.1.incr.aof"), "Bad file format"),
        (lambda data: (data / "appendonlydir" / "appendonly.aof.1.base.rdb").write_text("REDIS9999"), "base.rdb"),
    ],
    ids=["manifest", "log", "base"],
)
def test_engine_that_dies_at_its_start_says_why(own_server, damage, reason):
    """An engine that cannot read its files ends and leaves the reason as the last lines of its log."""
    own_server.admin("MSET", "a", "1" * 100, "b", "2" * 100)
    own_server.kill()
    damage(own_server.seat.data)
    before = own_server.seat.log.stat().st_size
    process = own_server.seat.spawn(own_server.engine)
    wait_until(lambda: not process.alive())
    process.close()

    assert reason in last_lines(own_server.seat.log, since=before)


def spoil(path: Path) -> None:
    """Put what is no write before the writes of a log."""
    path.write_bytes(b"garbage\r\n" + path.read_bytes())


def test_torn_end_is_served(own_server):
    """A log whose last write was cut short by a crash is served without that write."""
    own_server.admin("SET", "a", "1")
    own_server.kill()
    log = own_server.seat.data / "appendonlydir" / "appendonly.aof.1.incr.aof"
    log.write_bytes(log.read_bytes() + b"*3\r\n$3\r\nSET\r\n$1\r\nb")
    own_server.start()

    assert [b"a"] == own_server.admin("KEYS", "*")


def test_acknowledged_writes_survive_a_crash(own_server):
    """A store that was killed has every write that it acknowledged."""
    with redis.Redis.from_url(own_server.url) as app:
        for number in range(500):
            app.set(f"k{number}", number)
    own_server.restart()

    assert 500 == own_server.admin("DBSIZE")


def test_program_that_cannot_be_run(engine, seat):
    """A program that the system refuses is named, and the directory is free again."""
    with pytest.raises(EngineUnusable, match=r"/nowhere/engine cannot be the engine: No such file"):
        seat.spawn(engine._replace(path="/nowhere/engine"))
    process = seat.spawn(engine)
    wait_until(lambda: answers(seat))

    assert process.close() is None


def test_long_log_is_begun_anew(own_server, monkeypatch):
    """A start keeps a long log as `.1` and begins a new one; only one old log is kept."""
    monkeypatch.setattr(module, "LOG_LIMIT", 100)
    log = own_server.seat.log
    old = own_server.seat.directory / "engine.log.1"
    log.write_text("older\n" * 100)
    own_server.restart()
    kept = [old.read_text().startswith("older")]
    own_server.restart()
    kept.append(old.read_text().startswith("older"))

    assert ([True, False], False) == (kept, log.read_text().startswith("older"))


def test_short_log_goes_on(own_server):
    """A start writes on in a log that is not long."""
    before = own_server.seat.log.read_text()
    own_server.restart()

    assert own_server.seat.log.read_text().startswith(before)


def test_refused_start_leaves_the_log_alone(own_server, monkeypatch):
    """A start that is refused does not take the log of the engine that runs."""
    monkeypatch.setattr(module, "LOG_LIMIT", 100)
    with pytest.raises(DirectoryBusy):
        own_server.seat.spawn(own_server.engine)

    assert not (own_server.seat.directory / "engine.log.1").exists()


def test_stale_socket_and_temporary_files_are_swept(own_server):
    """What a dead engine left in the way is removed at the next start."""
    own_server.kill()
    stale = [own_server.seat.data / name for name in ("temp-1.rdb", "temp-rewriteaof-1.aof", "appendonlydir/temp-x")]
    for path in stale:
        path.write_text("half")
    own_server.start()

    assert ([], True) == ([path for path in stale if path.exists()], answers(own_server.seat))


def test_process_of_a_spawn_is_known_by_its_mark(own_server):
    """The process that a start returns can be found again by what is written down of it."""
    assert start_mark(own_server.process.pid) == own_server.process.mark


def test_slow_reader_evicts_nothing(engine):
    """80 replies of 1 MB that nobody reads cost a half-full cache none of its keys."""
    server = Server(engine, role="cache", memory=64 * MB)
    try:
        with redis.Redis.from_url(server.admin_url) as admin, admin.pipeline(transaction=False) as many:
            for number in range(3000):
                many.set(f"k{number}", "x" * 10_000)
            many.set("big", "x" * 1_000_000)
            many.execute()
            with connected(server) as reader:
                reader.sendall(b"GET big\r\n" * 80)
                wait_until(lambda: served(admin) >= 80 or admin.info("stats")["evicted_clients"])
                evicted, keys = admin.info("stats")["evicted_keys"], admin.dbsize()
    finally:
        server.close()

    assert (0, 3001) == (evicted, keys)


def served(admin: redis.Redis) -> int:
    """Return how many GET an engine has answered."""
    return admin.info("commandstats").get("cmdstat_get", {"calls": 0})["calls"]


def test_connection_beyond_the_limit(engine):
    """Beyond the plan's connections and the 8 the engine says so itself; who was in before goes on."""
    server = Server(engine, connections=5)
    try:
        with ExitStack() as stack:
            first = stack.enter_context(connected(server, "yard"))
            wait_until(lambda: b"connected_clients:1\r" in asked(first, b"INFO clients\r\n"))
            for _ in range(5 + RESERVED_CONNECTIONS - 1):
                stack.enter_context(connected(server))
            beyond = stack.enter_context(socket.create_connection(("127.0.0.1", server.port), timeout=5))
            said = (beyond.recv(1024), asked(first, b"PING\r\n"))
    finally:
        server.close()

    assert (b"-ERR max number of clients reached\r\n", b"+PONG\r\n") == said


def asked(line: socket.socket, command: bytes) -> bytes:
    """Ask over a bare connection and return the short answer."""
    line.sendall(command)
    return line.recv(65536)
