"""A Redis that somebody else runs: attached, shown everywhere, watched, forgotten; what cannot be is refused."""

import contextlib
import json
import shutil
import socket
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
import redis

from redyard.engine.find import Engine, find
from redyard.errors import NameTaken, NotAttachable, NotOurs, RedyardError, UnknownName, Unreachable
from redyard.yard.attached import examine
from tests.support.servers import PASSWORDS, Server, answers, free_port
from tests.support.wait import wait_until
from tests.support.yards import Sandbox


@pytest.fixture(scope="module")
def foreign(engine: Engine) -> Iterator[Server]:
    """A Redis that somebody else runs: a Valkey, then a Redis 7."""
    server = Server(engine)
    yield server
    server.close()


@pytest.fixture
def attached(running: Sandbox, foreign: Server) -> Iterator[tuple[Sandbox, Server]]:
    """A yard with the foreign store attached as "redis"."""
    running.calls.attach(foreign.url, "redis")
    yield running, foreign
    with contextlib.suppress(UnknownName):
        running.calls.detach("redis")


def unchanged(yard: Sandbox) -> bool:
    """Say whether nothing was left behind."""
    return [] == yard.calls.status()["instances"] == list(yard.home.instances.iterdir())


def test_attached_server_is_shown_everywhere(attached: tuple[Sandbox, Server]) -> None:
    """`status`, `info`, `vars` and `run` know it, with its own figures; only `vars` and `--show` have its password."""
    yard, server = attached
    line = yard.instance("redis-store")
    info = yard.json("info", "redis")["instances"][0]
    said = yard.run("status").stdout + yard.run("info").stdout

    assert (True, None, "store", "running") == (line["attached"], line["plan"], line["role"], line["phase"])
    assert (server.port, 64 << 20) == (line["port"], line["memory_limit"])
    assert ("noeviction", server.engine.version) == (info["policy"], info["version"])
    assert "attached" in said
    assert PASSWORDS["default"] not in said + json.dumps(info)
    assert server.url == yard.json("vars")["REDIS_URL"] == yard.url("redis-store")
    assert str(server.port) == yard.json("vars")["REDISPORT"]
    assert server.url == yard.run("run", "--", "printenv", "REDIS_URL").stdout.strip()


def test_its_password_is_in_one_private_file(attached: tuple[Sandbox, Server]) -> None:
    """The address lies in secrets.json, 0600; no log and no other file has it."""
    yard, _ = attached
    secret = PASSWORDS["default"].encode()
    having = [path for path in yard.home.path.rglob("*") if path.is_file() and secret in path.read_bytes()]

    assert ["secrets.json"] == [path.name for path in having]
    assert 0o600 == stat.S_IMODE(having[0].stat().st_mode)


def test_it_is_watched(attached: tuple[Sandbox, Server]) -> None:
    """It is silent while it does not answer, and runs again when it does; nothing is started in its place."""
    yard, server = attached
    server.kill()
    wait_until(lambda: yard.phase("redis-store") == "silent")
    server.start()
    wait_until(lambda: yard.phase("redis-store") == "running")

    assert 0 == yard.instance("redis-store")["crashes"]


def test_it_survives_its_yard(attached: tuple[Sandbox, Server]) -> None:
    """`down` leaves it running and does not name it; the next `up` knows it."""
    yard, server = attached
    stopped = yard.json("down")["stopped"]

    assert ([], True) == (stopped, server.answers())
    assert ["running"] == [item["phase"] for item in yard.json("up", "--detach")["instances"]]


@pytest.mark.parametrize("action", ["stop", "start", "restart"])
def test_what_provisions_is_refused(attached: tuple[Sandbox, Server], action: str) -> None:
    """Its engine is not ours to start or stop."""
    with pytest.raises(NotOurs, match=f"to {action} it") as caught:
        getattr(attached[0].calls, action)("redis")

    assert 103 == caught.value.status


def test_one_connects_as_the_user_of_its_address(attached: tuple[Sandbox, Server]) -> None:
    """There is no monitor's user there; emptying wants the name, whoever asks."""
    yard, _ = attached
    said = yard.run("connect", "redis", "--", "PING").stdout
    error = json.loads(yard.run("connect", "redis", "--json", "--", "FLUSHALL").stderr)

    assert ("PONG\n", "NotEmptied") == (said, error["error"])


def test_its_settings_are_shown_and_left(attached: tuple[Sandbox, Server]) -> None:
    """What it does not tell is null; to change it is its owner's."""
    yard, server = attached
    (shown,) = yard.calls.settings("redis")["instances"]
    server.admin("ACL", "SETUSER", "default", "+config|get")
    (told,) = yard.calls.settings("redis")["instances"]

    assert {None} == {row["value"] for row in shown["settings"]}
    assert "noeviction" in {row["value"] for row in told["settings"]}
    with pytest.raises(NotOurs):
        yard.calls.set("redis", "timeout", "0")


def test_removal_is_a_detachment(attached: tuple[Sandbox, Server]) -> None:
    """`remove` refuses it and names `detach`, which touches nothing there."""
    yard, server = attached
    error = yard.error("remove", "redis", "--confirm", "redis")
    yard.json("detach", "redis")

    assert "redyard detach redis" in error["hint"]
    assert unchanged(yard)
    assert server.answers()


def test_own_instance_is_not_detached(shared_yard: Sandbox) -> None:
    """`detach` of an engine of ours says what would remove it."""
    error = shared_yard.error("detach", "redis")

    assert "Usage" == error["error"]
    assert "redyard remove" in error["message"]


def test_store_and_cache_share_a_name(running: Sandbox) -> None:
    """Two attached servers make an add-on; the one that evicts is its cache; a third is refused."""
    servers = [Server(find(), role=role) for role in ("store", "cache")]
    try:
        for server in servers:
            running.calls.attach(server.url, "shop")
        variables = running.calls.variables("shop")

        assert [server.url for server in servers] == [variables["REDIS_URL"], variables["REDIS_CACHE_URL"]]
        with pytest.raises(NameTaken):
            running.calls.attach(servers[0].url, "shop")
    finally:
        running.calls.detach("shop")
        for server in servers:
            server.close()


def test_address_comes_from_the_environment_or_stdin(running: Sandbox, foreign: Server) -> None:
    """Without URL it is REDIS_URL's; `-` reads it from stdin: neither shows it in a process list."""
    try:
        done = running.run("attach", "--json", "--role", "cache", REDIS_URL=foreign.url)
        piped = subprocess.run(
            [sys.executable, "-m", "redyard", "attach", "-", "--json"],
            input=foreign.url + "\n", env=running.environ, capture_output=True, text=True, check=False,
        )  # fmt: skip

        assert (0, 0) == (done.returncode, piped.returncode), done.stderr + piped.stderr
        assert {"REDIS_URL": foreign.url, "REDIS_CACHE_URL": foreign.url}.items() <= running.json("vars").items()
    finally:
        running.calls.detach("redis")


class Page(BaseHTTPRequestHandler):
    """A web server."""

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def web() -> Iterator[int]:
    """The port of a web server."""
    with HTTPServer(("127.0.0.1", 0), Page) as listening:
        thread = threading.Thread(target=listening.serve_forever)
        thread.start()
        yield listening.server_port
        listening.shutdown()
        thread.join()


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port that takes connections and says nothing."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def sentinel() -> Iterator[int]:
    """The port of a Sentinel."""
    program = shutil.which("redis-sentinel") or shutil.which("redis-server")
    if program is None:
        program = find().path
    with tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp") as directory:
        port, file = free_port(), Path(directory) / "sentinel.conf"
        file.write_text(f"port {port}\ndir {directory}\nbind 127.0.0.1\n")
        process = subprocess.Popen([program, str(file), "--sentinel"], stdout=subprocess.DEVNULL)
        wait_until(lambda: answers(f"redis://127.0.0.1:{port}") or process.poll() is not None)
        yield port
        process.terminate()
        process.wait()


def refused(yard: Sandbox, url: str, *words: str) -> dict:
    """Attach an address in vain; nothing may be left, and no password shown."""
    with pytest.raises(RedyardError) as caught:
        yard.calls.attach(url, "redis")
    error = caught.value.to_json()

    assert "secret" not in json.dumps(error)
    assert unchanged(yard)
    assert [] == [word for word in words if word not in error["message"] + error["hint"]]
    return error


def test_web_server_is_refused(running: Sandbox, web: int) -> None:
    """What speaks HTTP is no Redis."""
    error = refused(running, f"redis://:secret@127.0.0.1:{web}", "does not speak Redis's protocol", "web server")

    assert ("NotAttachable", 100) == (error["error"], error["status"])


def test_silent_port_is_refused_in_time(running: Sandbox, deaf: int) -> None:
    """A port that says nothing is given up after three seconds."""
    error = refused(running, f"redis://:secret@127.0.0.1:{deaf}", "said nothing for 3 s")

    assert ("Unreachable", 101) == (error["error"], error["status"])


async def test_silent_port_by_tls_may_be_a_plain_one(deaf: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A plain server waits for more when it is spoken to by TLS: the message guesses that."""
    monkeypatch.setattr("redyard.yard.attached.LOOK_WITHIN", 0.2)
    with pytest.raises(Unreachable, match="perhaps there is no TLS: write redis://"):
        await examine(f"rediss://:secret@127.0.0.1:{deaf}")


def test_closed_port_is_refused(running: Sandbox) -> None:
    """A port where nobody listens is named."""
    error = refused(running, f"redis://:secret@127.0.0.1:{free_port()}", "refused")

    assert "Unreachable" == error["error"]


def test_unknown_name_is_refused(running: Sandbox) -> None:
    """A host that does not exist is told from one that does not answer."""
    error = refused(running, "redis://:secret@no-such-host.invalid:6379", "name")

    assert "Unreachable" == error["error"]


def test_sentinel_is_refused(running: Sandbox, sentinel: int) -> None:
    """A Sentinel is recognised by what it says, and the way to the primary is shown."""
    error = refused(running, f"redis://127.0.0.1:{sentinel}", "it is a Sentinel", "SENTINEL MASTERS")

    assert "NotAttachable" == error["error"]


@pytest.mark.parametrize("login", [":secret@", "nobody:secret@", ""])
def test_wrong_login_is_refused(running: Sandbox, foreign: Server, login: str) -> None:
    """A wrong password, an unknown user and no login at all are the same error."""
    error = refused(running, f"redis://{login}127.0.0.1:{foreign.port}", "refuses the login")

    assert ("LoginRefused", 102) == (error["error"], error["status"])


def test_user_without_info_is_refused(running: Sandbox, foreign: Server) -> None:
    """A user that may not ask what the server is is told which right is missing."""
    url = foreign.url.replace("default:", "replication:")
    with pytest.raises(NotAttachable, match="may not run INFO"):
        running.calls.attach(url.replace(PASSWORDS["default"], PASSWORDS["replication"]), "redis")


def test_replica_is_refused(running: Sandbox, foreign: Server) -> None:
    """What takes no writes is no place for an app."""
    foreign.admin("REPLICAOF", "127.0.0.1", str(free_port()))
    with pytest.raises(NotAttachable, match="it is a replica"):
        running.calls.attach(foreign.url, "redis")
    foreign.admin("REPLICAOF", "NO", "ONE")

    assert unchanged(running)


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("redis://default:secret@redis.railway.internal:6379", "UnusableHere"),
        ("${{Redis.REDIS_URL}}", "InvalidURL"),
        ("http://127.0.0.1:6379", "InvalidURL"),
        ("", "InvalidURL"),
    ],
)
def test_impossible_address_starts_no_yard(yard: Sandbox, url: str, name: str) -> None:
    """What cannot work here is refused before anything is started."""
    error = yard.error("attach", url)

    assert name == error["error"]
    assert not yard.home.path.exists()


def test_an_app_uses_it(attached: tuple[Sandbox, Server]) -> None:
    """The address that `vars` prints works."""
    yard, _ = attached
    with redis.Redis.from_url(yard.calls.variables()["REDIS_URL"]) as app:
        assert app.set("key", "value")
