"""Problems of reaching a server, each made on a real engine or a real socket."""

import os
import socket
import subprocess
import sys
import threading
import time
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from tests.support.name_server import run
from tests.support.odd import diagnose
from tests.support.proxy import Proxy
from tests.support.servers import answers, free_port
from tests.support.wait import wait_until


@pytest.mark.parametrize("host", ["nothing.invalid", "redis.railway.internal"])
async def test_a_name_that_does_not_resolve(host):
    """P01: the resolver's answer is told, and for Railway's private names where they exist."""
    found = await diagnose(f"redis://{host}:6379/0", environ={})

    assert {"P01"} == found.alarms
    assert ("Railway" in found["P01"].cause) == host.endswith("railway.internal")
    assert found.examination.unchecked


NAMES = """
async def main():
    from redyard.checks import Severity
    from redyard.doctor import examine
    said = {}
    for name in ("gone.railway.internal", "broken.test", "silent.test"):
        seen = await examine(f"redis://{name}:6379", environ={})
        worst = seen.findings[0]
        alarms = [one.check for one in seen.findings if one.severity is not Severity.INFO]
        said[name] = [alarms, worst.evidence["resolver"], worst.cause]
    print(json.dumps(said))

asyncio.run(main())
"""


@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs a network of its own")
def test_answers_of_a_name_server(tmp_path):
    """P01: a name that is not there is told from a resolver that fails or is silent: the name may well exist then."""
    said = run(NAMES, tmp_path)

    assert [["name"], "nxdomain"] == said["gone.railway.internal"][:2]
    assert "Railway" in said["gone.railway.internal"][2]
    assert [[["name"], "servfail"], [["name"], "silent"]] == [said[name][:2] for name in ("broken.test", "silent.test")]
    assert all("may well exist" in said[name][2] for name in ("broken.test", "silent.test"))


@pytest.mark.parametrize(
    ("url", "environ", "cause"),
    [
        ("redis://redis.railway.internal:6379", {"RAILWAY_PROJECT_ID": "1"}, "IPv4 alone"),
        ("redis://redis.railway.internal:6379", {}, "Railway's private network"),
        ("${{Redis.REDIS_URL}}", {"RAILWAY_PROJECT_ID": "1"}, "reference variable"),
        ("redis://red-abc.invalid:6379", {"RENDER": "true"}, "no server of the names"),
    ],
)
async def test_shapes_of_platforms(url, environ, cause):
    """P01: what an address means depends on where the app runs."""
    found = await diagnose(url, environ=environ)

    assert cause in found.examination.findings[0].cause
    assert 1 == len(found.alarms)


@pytest.fixture
def sentinel(engine, tmp_path):
    """A Sentinel of each engine, which watches nobody."""
    port, settings = free_port(), tmp_path / "sentinel.conf"
    settings.write_text(f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nlogfile {tmp_path}/log\n")
    process = subprocess.Popen([engine.path, settings, "--sentinel"], stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(f"redis://127.0.0.1:{port}"))
        yield port
    finally:
        process.kill()
        process.wait()


async def test_a_sentinel(sentinel):
    """It answers PING and keeps no data: it is named, and nothing else is blamed."""
    found = await diagnose(f"redis://127.0.0.1:{sentinel}")

    assert {"sentinel"} == found.alarms


async def test_a_server_on_one_family_alone(odd):
    """P02: the address that refuses and the one that answers are named."""
    server = odd("--bind", "::1")
    found = await diagnose(server)

    assert {"P02"} == found.alarms
    assert {"127.0.0.1": "refused", "::1": "ok"} == found["P02"].evidence


async def test_nobody_listens(odd):
    """P03: refused on each address, of an engine that has ended."""
    server = odd()
    server.stop()
    found = await diagnose(server)

    assert {"P03"} == found.alarms


async def test_packets_are_dropped():
    """P04: a listener whose queue is full neither accepts nor refuses."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", free_port()))
        listener.listen(0)
        fillers = []
        for _ in range(3):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(listener.getsockname())
            fillers.append(filler)
        found = await diagnose(f"redis://127.0.0.1:{listener.getsockname()[1]}")
        for filler in fillers:
            filler.close()

    assert {"P04"} == found.alarms


async def test_a_frozen_server(odd):
    """P05: it accepts, and answers on no connection; the examination still ends within its time."""
    server = odd()
    server.freeze()
    found = await diagnose(server)

    assert {"P05"} == found.alarms
    assert "no answer" in found["P05"].evidence["again"]
    assert found.examination.seconds < 5


async def test_a_web_server():
    """P06: its first words show what it is."""

    class Silent(BaseHTTPRequestHandler):
        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Silent) as web:
        thread = threading.Thread(target=web.serve_forever)
        thread.start()
        found = await diagnose(f"redis://127.0.0.1:{web.server_port}")
        web.shutdown()
        thread.join()

    assert {"P06"} == found.alarms
    assert "web server" in found["P06"].cause


async def test_a_server_that_is_far(odd):
    """P07: the round trip is many times the work."""
    server = odd()
    async with Proxy(server.port) as proxy:
        proxy.trickle["down"] = (3, 0.004)
        found = await diagnose(f"redis://127.0.0.1:{proxy.port}")

    assert {"P07"} == found.alarms
    assert found["P07"].evidence["round_trip_ms"] >= 5


async def test_clocks_that_differ(odd):
    """P08: by an hour and a half."""
    found = await diagnose(odd(), clock=lambda: time.time() + 5400)

    assert {"P08"} == found.alarms
    assert 5395 < found["P08"].evidence["seconds"] < 5405


async def test_idle_connections_are_cut(odd):
    """P09: a timeout below an app's pauses is a warning, the usual 300 s a remark."""
    server = odd("--timeout", 1)
    short = await diagnose(server)
    server.do("CONFIG", "SET", "timeout", 300)
    usual = await diagnose(server)

    assert {"P09"} == short.alarms
    assert set() == usual.alarms
    assert "CONFIG SET timeout 0" in usual["P09"].remedy


async def test_connections_that_are_not_kept(odd):
    """P10: more connections than work."""
    server = odd()
    before = server.reading(time.time() - 1)
    for _ in range(80):
        with socket.create_connection(("127.0.0.1", server.port)) as line:
            line.sendall(b"PING\r\n")
            line.recv(10)

    assert {"P10"} == (await diagnose(server, before=before)).alarms
    assert set() == (await diagnose(server)).alarms  # for all it tells, 80 apps were started at once


async def test_tls_is_spoken_to_a_plain_port(odd):
    """P11: rediss:// where redis:// is meant."""
    found = await diagnose(odd().url().replace("redis:", "rediss:"))

    assert {"P11"} == found.alarms


@pytest.mark.parametrize(
    "url",
    ["${{Redis.REDIS_URL}}", "http://127.0.0.1:6379", "redis://:hunter2@127.0.0.1:port", "", "redis://:p#w@h:1"],
)
async def test_an_address_that_cannot_be_used(url):
    """The address is the finding; its password is not shown."""
    found = await diagnose(url)

    assert {"address"} == found.alarms
    assert "hunter2" not in str(found.examination.to_json())


async def test_a_server_that_stops_half_way(odd):
    """It answers the greeting and no more: a finding, and in time."""
    server = odd()
    async with Proxy(server.port) as proxy:
        proxy.cut_after(60, "down")
        cut = await diagnose(f"redis://127.0.0.1:{proxy.port}")
    assert cut.alarms or cut.examination.unchecked
    assert cut.examination.seconds < 5


async def test_a_port_that_never_speaks():
    """A listener that accepts and is silent."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = await diagnose(f"redis://127.0.0.1:{listener.getsockname()[1]}")

    assert {"P05"} == found.alarms
    assert found.examination.seconds < 5


async def test_writes_are_held_back(odd):
    """A forgotten CLIENT PAUSE: PING is answered, writes are not; the rest is examined on a new line."""
    server = odd()
    server.do("CLIENT", "PAUSE", 60_000, "WRITE")
    found = await diagnose(server)
    server.do("CLIENT", "UNPAUSE")

    assert {"held-back"} == found.alarms
    assert "CLIENT UNPAUSE" in found["held-back"].remedy
    assert found.examination.engine
    assert found.examination.seconds < 5


async def test_a_step_that_is_refused(odd):
    """In a way that no other check names: it is still a finding, with the server's words."""
    found = await diagnose(odd("--rename-command", "SET", ""))

    assert {"refused-step"} == found.alarms
    assert "unknown command" in found["refused-step"].evidence["write"]
