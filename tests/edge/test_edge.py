"""The edge does what an engine without TLS cannot: handshakes and their deadline, the number of clients, both ways."""

import asyncio
import os
import signal
import socket
import ssl
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack

import psutil
import pytest
import redis

from redyard import Redis
from redyard.edge import door
from redyard.edge.terms import Place, Terms
from redyard.engine.find import find
from tests.support.load import Load
from tests.support.secured import ByEdge, server_certificate
from tests.support.servers import PASSWORDS, Server
from tests.support.wait import until, wait_until


@pytest.fixture(scope="module")
def shared_edge(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ByEdge]:
    made = ByEdge(tmp_path_factory.mktemp("edge"), find(), limit=20)
    made.present()
    yield made
    made.close()


@pytest.fixture
def edge(shared_edge: ByEdge) -> ByEdge:
    shared_edge.server.clean()
    shared_edge.present()
    return shared_edge


def kit(edge: ByEdge) -> Redis:
    return Redis.from_env(environ=edge.environ())


def dial(edge: ByEdge) -> ssl.SSLSocket:
    """Return a raw connection that has shaken hands and logged in."""
    context = ssl.create_default_context(cafile=str(edge.trusted))
    line = context.wrap_socket(socket.create_connection(("127.0.0.1", edge.port)), server_hostname="127.0.0.1")
    line.settimeout(10)
    line.sendall(f"AUTH default {PASSWORDS['default']}\r\n".encode())
    assert b"+OK\r\n" == line.recv(100)
    return line


def sockets(edge: ByEdge) -> int:
    """Return how many connections the process has, listening ones aside."""
    return sum(
        item.status == psutil.CONN_ESTABLISHED for item in psutil.Process(edge.process.pid).net_connections("tcp")
    )


def read_all(line: socket.socket) -> bytes:
    data = b""
    while part := line.recv(65536):
        data += part
    return data


async def test_everything_passes(edge: ByEdge) -> None:
    """Commands, large values both ways, pipelines, blocking commands and subscriptions."""
    async with kit(edge) as app:
        assert await app.set("large", b"x" * 5_000_000)
        assert 5_000_000 == len(await app.get("large"))
        assert [True, b"1"] == await app.pipeline().set("a", 1).get("a").execute()
        assert None is await app.blpop(["none"], timeout=0.01)
        async with app.pubsub() as news:
            await news.subscribe("news")
            await until(lambda: news.get_message(timeout=1))
            await app.publish("news", "hello")
            await until(lambda: news.get_message(ignore_subscribe_messages=True, timeout=1))


async def test_a_new_certificate_drops_nobody(edge: ByEdge) -> None:
    """While an app works, certificates change ten times: no connection ends, no command fails, new clients see them."""
    async with Load(kit(edge), writers=5) as load:
        await until(lambda: load.popped)
        before = sockets(edge)
        serials = set()
        for _ in range(10):
            edge.present(server_certificate(edge.authority))
            serials.add(await asyncio.to_thread(serial, edge))
        await until(lambda: sockets(edge) <= before)

        assert (10, before, 1) == (len(serials), sockets(edge), load.client.stats.connects)
    assert [] == load.errors


def serial(edge: ByEdge) -> str:
    with dial(edge) as line:
        return line.getpeercert()["serialNumber"]


async def test_a_broken_certificate_changes_nothing(edge: ByEdge) -> None:
    """What cannot be used is told in the log, and the one before goes on."""
    before = await asyncio.to_thread(serial, edge)
    edge.present("no certificate at all")

    assert before == await asyncio.to_thread(serial, edge)
    assert "the new certificate cannot be used" in edge.log


def test_more_clients_than_the_plan_has_are_refused(edge: ByEdge) -> None:
    """With the engine's own words; one that leaves makes room."""
    with ExitStack() as stack:
        lines = [stack.enter_context(dial(edge)) for _ in range(edge.limit)]
        with pytest.raises(redis.ConnectionError, match="max number of clients"), one(edge) as late:
            late.ping()
        lines[0].close()
        wait_until(lambda: answers(edge))


def one(edge: ByEdge) -> redis.Redis:
    return redis.Redis.from_url(edge.url(), ssl_ca_certs=str(edge.trusted), retry=None)


def answers(edge: ByEdge) -> bool:
    try:
        with one(edge) as client:
            return bool(client.ping())
    except redis.ConnectionError:
        return False


def test_who_never_shakes_hands_keeps_nobody_out(edge: ByEdge) -> None:
    """More of them than handshakes are served at a time: the oldest are given up, and an app gets in at once."""
    with ExitStack() as stack:
        for _ in range(door.MOST_SHAKING + 20):
            stack.enter_context(socket.create_connection(("127.0.0.1", edge.port)))

        assert answers(edge)
        wait_until(lambda: "too many at a time" in edge.log)


async def test_a_handshake_has_a_deadline(edge: ByEdge, monkeypatch: pytest.MonkeyPatch) -> None:
    """One byte at a time does not help."""
    monkeypatch.setattr(door, "SHAKE_WITHIN", 0.2)
    terms = Terms(Place(edge.directory / "instance", edge.directory, edge.trusted))
    with door.listen("127.0.0.1", 0) as listener:
        serving = asyncio.create_task(door.Door(listener, terms).serve())
        reader, writer = await asyncio.open_connection("127.0.0.1", listener.getsockname()[1])
        writer.write(b"\x16\x03\x01")

        assert b"" == await ended(reader)
        writer.close()
        serving.cancel()
        await asyncio.gather(serving, return_exceptions=True)


async def ended(reader: asyncio.StreamReader) -> bytes:
    try:
        return await asyncio.wait_for(reader.read(), 5)
    except ConnectionError:
        return b""


def test_a_plain_client_is_told_what_to_write(edge: ByEdge) -> None:
    """In Redis's own form, so that every client shows it."""
    with (
        pytest.raises(redis.ResponseError, match="write rediss://"),
        redis.Redis(port=edge.port, retry=None, protocol=2, password="a-password") as client,
    ):
        client.ping()


def test_half_close_gets_all_answers(edge: ByEdge) -> None:
    """A client that sends a batch and says that nothing more comes gets every answer, then the end."""
    context = ssl.create_default_context(cafile=str(edge.trusted))
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    with socket.create_connection(("127.0.0.1", edge.port)) as raw:
        tls = context.wrap_bio(incoming, outgoing, server_hostname="127.0.0.1")
        while True:
            try:
                tls.do_handshake()
                break
            except ssl.SSLWantReadError:
                raw.sendall(outgoing.read())
                incoming.write(raw.recv(65536))
        tls.write(f"AUTH default {PASSWORDS['default']}\r\n".encode() + b"INCR counted\r\n" * 1000)
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        raw.sendall(outgoing.read())
        raw.shutdown(socket.SHUT_WR)
        incoming.write(read_all(raw))

    said = tls.read(1_000_000)
    while tls.pending() or incoming.pending:
        said += tls.read(1_000_000) if said.count(b"\r\n") < 1001 else incoming.read()
    assert 1001 == said.count(b"\r\n")


def test_what_was_sent_before_the_end_runs(edge: ByEdge) -> None:
    """Also where the client takes no answer and just goes away."""
    with dial(edge) as line:
        line.sendall(b"INCR gone\r\n" * 1000)
    wait_until(lambda: edge.server.admin("GET", "gone") == b"1000")


def test_a_slow_reader_costs_little(edge: ByEdge) -> None:
    """100 MB that nobody reads stay with the engine, which has its own limit for that; the edge stays small."""
    edge.server.admin("SET", "large", b"x" * 1_000_000)
    process = psutil.Process(edge.process.pid)
    before = process.memory_info().rss
    with dial(edge) as line:
        line.sendall(b"GET large\r\n" * 100)
        wait_until(lambda: edge.server.admin("CLIENT", "LIST", "TYPE", "normal").count(b"omem=0 ") <= 1)

        assert process.memory_info().rss - before < 8_000_000


def test_the_engine_s_end_is_the_client_s(edge: ByEdge) -> None:
    """A connection that the engine closes is closed, at once."""
    with dial(edge) as line:
        edge.server.admin("CLIENT", "KILL", "TYPE", "normal")

        assert b"" == read_all(line)


def test_new_clients_go_to_the_next_engine(edge: ByEdge) -> None:
    """The rename that commits a move is all that the edge needs; until then it holds new clients for a moment."""
    staged = edge.directory / "instance" / "spec.json.next"
    with Server(find()) as other:
        other.admin("SET", "who", "the next")
        staged.write_text(
            (edge.directory / "instance" / "spec.json").read_text().replace('"generation": 1', '"generation": 2')
        )
        (edge.directory / "store.2.sock").symlink_to(other.seat.socket)
        with one(edge) as early, asyncio.Runner() as runner:

            async def meet() -> object:
                asked = asyncio.create_task(asyncio.to_thread(early.get, "who"))
                await until(lambda: sockets(edge) > 0)
                staged.replace(edge.directory / "instance" / "spec.json")
                return await asked

            assert b"the next" == runner.run(meet())
    edge.write_spec()
    (edge.directory / "store.2.sock").unlink()
    assert answers(edge)


def test_an_engine_that_is_away_ends_the_connection(edge: ByEdge) -> None:
    """As a port that refuses: the client tries again, and gets in when the engine is back."""
    edge.server.kill()
    assert not answers(edge)
    edge.server.start()
    edge.write_spec()
    assert answers(edge)


def test_it_ends_by_sigterm_and_lets_clients_go(edge: ByEdge) -> None:
    """They get an end, no reset; and nothing of it stays."""
    with dial(edge) as line:
        os.kill(edge.process.pid, signal.SIGTERM)

        assert b"" == read_all(line)
    wait_until(lambda: edge.process.poll() is not None)
    assert 0 == edge.process.returncode
    edge.start()


def test_no_secret_is_in_the_log(edge: ByEdge) -> None:
    """Neither a password nor a key; what went wrong is there once, with its count."""
    for _ in range(50):
        with socket.create_connection(("127.0.0.1", edge.port)) as line:
            line.sendall(f"AUTH default {PASSWORDS['default']}\r\n".encode())
            read_all(line)
    wait_until(lambda: "it speaks plain" in edge.log)

    assert PASSWORDS["default"] not in edge.log
    assert "PRIVATE KEY" not in edge.log
    assert edge.log.count("it speaks plain") < 10


def test_it_imports_nothing_of_the_kit() -> None:
    """So that it starts fast and is small."""
    code = "import sys, redyard.edge.__main__; print(*sorted(sys.modules))"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()

    assert [] == [name for name in loaded if name in {"redis", "msgspec", "redyard.errors", "redyard.engine"}]
