"""The yard's door: a Unix socket for its owner, calls checked before they are done."""

import http.client
import json
import socket
import stat

import psutil
import pytest

from tests.support.yards import Sandbox


class Door(http.client.HTTPConnection):
    """Speaks to the socket without our own client."""

    def __init__(self, path: str) -> None:
        super().__init__("yard", timeout=10)
        self.path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.connect(self.path)


def post(yard: Sandbox, path: str, body: bytes, method: str = "POST") -> tuple[int, bytes]:
    door = Door(str(yard.home.api))
    try:
        door.request(method, path, body)
        response = door.getresponse()
        return response.status, response.read()
    finally:
        door.close()


def test_socket_is_its_owners_alone(shared_yard: Sandbox) -> None:
    """Nobody else can open the socket or its directory."""

    assert 0o600 == stat.S_IMODE(shared_yard.home.api.stat().st_mode)
    assert 0o700 == stat.S_IMODE(shared_yard.home.runtime.stat().st_mode)


def test_yard_listens_on_no_port(shared_yard: Sandbox) -> None:
    """There is no TCP port for control, and engines listen on loopback alone."""
    yard = psutil.Process(shared_yard.yard_pid())

    assert [] == [item for item in yard.net_connections("inet") if item.status == psutil.CONN_LISTEN]
    for name in ("redis-store", "redis-cache"):
        engine = psutil.Process(shared_yard.instance(name)["pid"])
        heard = [item.laddr.ip for item in engine.net_connections("inet") if item.status == psutil.CONN_LISTEN]
        assert ["127.0.0.1"] == heard


@pytest.mark.parametrize(
    "body",
    [
        b"{",
        b"[]",
        b'"x"',
        b'{"unknown": 1}',
        b'{"name": 7}',
        b'{"name": null, "show": "yes"}',
        b"\xff\xfe",
        b"{" + b" " * 70000 + b"}",
    ],
)
def test_malformed_call_is_refused(shared_yard: Sandbox, body: bytes) -> None:
    """What is no call is a usage error of one line of JSON, never a traceback."""
    status, answer = post(shared_yard, "/info", body)

    assert 400 == status
    assert "Usage" == json.loads(answer)["error"]


def test_unknown_call_and_method_are_refused(shared_yard: Sandbox) -> None:
    """Only the calls of the table exist, and only by POST."""

    assert 404 == post(shared_yard, "/close", b"{}")[0]
    assert 404 == post(shared_yard, "/open", b"{}")[0]
    assert 405 == post(shared_yard, "/status", b"", method="GET")[0]


def test_no_password_is_shown_unasked(shared_yard: Sandbox) -> None:
    """Neither a status, nor an info, nor a log holds a password."""
    secrets = [
        password
        for path in shared_yard.home.instances.glob("*/secrets.json")
        for password in json.loads(path.read_text()).values()
    ]
    shown = post(shared_yard, "/status", b"{}")[1] + post(shared_yard, "/info", b"{}")[1]
    logs = [path.read_bytes() for path in shared_yard.home.path.rglob("*") if path.suffix in {".log", ".conf", ".acl"}]

    assert 8 == len(secrets)
    for password in secrets:
        assert password.encode() not in shown
        assert not any(password.encode() in log for log in logs)


def test_every_file_of_a_yard_is_private(shared_yard: Sandbox) -> None:
    """Files are 0600, directories 0700, and version control ignores them all."""
    modes = {
        path: stat.S_IMODE(path.stat().st_mode) for path in [shared_yard.home.path, *shared_yard.home.path.rglob("*")]
    }

    assert {} == {path: oct(mode) for path, mode in modes.items() if mode & 0o077}
    assert "*\n" == (shared_yard.home.path / ".gitignore").read_text()
