"""Problems of being let in, each made on a real engine."""

import socket

import pytest
from redis.exceptions import NoPermissionError

from tests.support.odd import diagnose

PASSWORD = "hunter2-of-the-test"


async def test_a_password_is_needed(odd):
    """P17: the server's own word, and where the password goes."""
    found = await diagnose(odd("--requirepass", PASSWORD))

    assert {"P17"} == found.alarms
    assert "redyard vars" in found["P17"].remedy


@pytest.mark.parametrize("login", [":wrong-" + PASSWORD, "nobody:" + PASSWORD])
async def test_a_wrong_password_or_user(odd, login):
    """P18: the user is named, the password never shown."""
    found = await diagnose(odd("--requirepass", PASSWORD).url(login=login))

    assert {"P18"} == found.alarms
    assert PASSWORD not in str(found.examination.to_json())


async def test_guessed_passwords_are_told(odd):
    """P18: others who fail to log in are a remark to the owner."""
    server = odd("--requirepass", PASSWORD)
    with socket.create_connection(("127.0.0.1", server.port)) as line:
        for _ in range(12):
            line.sendall(b"AUTH guess\r\n")
            assert line.recv(200).startswith(b"-WRONGPASS")
    found = await diagnose(server.url(login=f":{PASSWORD}"))

    assert "P18" in found
    assert set() == found.alarms


async def test_a_user_without_the_right_to_write(odd):
    """P19: a user who may read alone."""
    server = odd()
    server.do("ACL", "SETUSER", "reader", "on", f">{PASSWORD}", "~*", "+@read", "+@connection", "+info")
    found = await diagnose(server.url(login=f"reader:{PASSWORD}"))

    assert {"P19"} == found.alarms
    assert "ACL SETUSER reader +@write" in found["P19"].remedy
    assert {"config", "clients"} & set(found.examination.unchecked)


async def test_an_app_that_is_refused_keys(odd):
    """P19: the owner sees whose rights are too narrow; the names of keys are cut."""
    server = odd()
    server.do("ACL", "SETUSER", "app", "on", f">{PASSWORD}", "~app:*", "+@read", "+@write", "+ping")
    with server.client(username="app", password=PASSWORD) as client:
        for _ in range(5):
            with pytest.raises(NoPermissionError):
                client.get("session:secret-of-a-session")
    owner = await diagnose(server)
    app = await diagnose(server.url(login=f"app:{PASSWORD}"))

    assert {"P19"} == owner.alarms
    assert "app" == owner["P19"].evidence["user"]
    assert "secret-of-a-session" not in str(owner.examination.to_json())
    assert "P19" in app
    assert set() == app.alarms


def outside() -> str:
    """Return an address of this machine that is not loopback; nothing is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))
        except OSError:
            pytest.skip("this machine has no address but loopback")
        return probe.getsockname()[0]


async def test_protected_mode(odd):
    """P20: it answers its own machine alone."""
    server = odd("--bind", "0.0.0.0", "--protected-mode", "yes")
    found = await diagnose(server.url(host=outside()))

    assert {"P20"} == found.alarms


async def test_an_open_server(odd):
    """P21: whoever reaches it is let in; on loopback alone that is no alarm."""
    server = odd("--bind", "0.0.0.0", "--protected-mode", "no")
    here = await diagnose(server)
    private = await diagnose(odd())

    assert {"P21"} == here.alarms
    assert set() == private.alarms


async def test_a_given_password_does_not_hide_an_open_server(odd):
    """P21: a server without a password takes any."""
    server = odd("--bind", "0.0.0.0", "--protected-mode", "no")
    found = await diagnose(server.url(login=f"default:{PASSWORD}"))

    assert {"P21"} == found.alarms
