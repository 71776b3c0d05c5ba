"""An examination: in time, without a secret, and never a traceback."""

import asyncio
import time

import pytest

from redyard import Redis
from redyard.checks import MEANINGS, TABLE, Case, Proof, Severity, judge
from redyard.doctor import checklist, examine
from tests.support.odd import diagnose
from tests.support.proxy import Proxy
from tests.support.servers import free_port
from tests.support.wait import until

PASSWORD = "hunter2-of-the-test"


async def test_a_client_is_examined_as_its_address(server):
    """By its own connection's terms, on a connection of the doctor's."""
    async with Redis.from_url(server.url) as redis:
        seen = await examine(redis, watch=0)

    assert seen.engine.startswith(server.engine.name)
    assert server.url.split(":")[2].split("@")[0] not in str(seen.to_json())


@pytest.mark.parametrize("login", ["yard", "nobody"])
async def test_an_overseer_tells_what_the_user_may_not_see(server, login):
    """One that is not let in is done without; its connection is over with the look, either way."""
    before = len(server.admin("CLIENT", "LIST"))
    seen = await examine(server.url, overseer=server.admin_url.replace("yard:", f"{login}:"), watch=0)
    await until(lambda: len(server.admin("CLIENT", "LIST")) <= before)

    assert (login == "nobody") == ("config" in seen.unchecked)


async def test_the_rungs_are_told_with_their_times(odd):
    """All of them, in order, within five seconds."""
    seen = (await diagnose(odd().url(2), watch=0.1)).examination
    names = [step.name for step in seen.steps]

    assert ["resolve", "connect", "open", "greet", "authenticate", "ping", "select", "role"] == names[:8]
    assert {"read", "write", "script", "info", "config", "clients", "slow", "latency", "denials"} <= set(names)
    assert all(step.seconds >= 0 for step in seen.steps)
    assert seen.seconds < 5


async def test_nothing_is_left_behind(odd):
    """The write probe is removed."""
    server = odd()
    await diagnose(server)

    assert 0 == server.do("DBSIZE")


async def test_no_secret_is_printed(odd):
    """Not the address's password, wherever it comes back."""
    server = odd("--requirepass", PASSWORD)
    for login in (f":{PASSWORD}", f"nobody:{PASSWORD}", f"{PASSWORD}:{PASSWORD}"):
        seen = (await diagnose(server.url(login=login))).examination
        assert f":{PASSWORD}@" not in str(seen.to_json())
    right = (await diagnose(server.url(login=f":{PASSWORD}"))).examination

    assert PASSWORD not in str(right.to_json())


@pytest.mark.parametrize("size", [0, 1, 7, 30, 100, 400, 3000, 9000])
async def test_a_line_that_is_cut(odd, size):
    """After any number of bytes there is an answer and no traceback."""
    server = odd()
    async with Proxy(server.port) as proxy:
        proxy.cut_after(size, "down")
        seen = (await diagnose(f"redis://127.0.0.1:{proxy.port}")).examination

    assert seen.findings or seen.unchecked


@pytest.mark.parametrize("size", [7, 3000])
async def test_a_line_that_falls_silent(odd, size):
    """Half-way through an answer: it ends in time."""
    server = odd()
    start = time.monotonic()
    async with Proxy(server.port) as proxy:
        proxy.trickle["down"] = (size, 3600.0)
        seen = (await diagnose(f"redis://127.0.0.1:{proxy.port}")).examination
        proxy.trickle.clear()

    assert seen.findings or seen.unchecked
    assert time.monotonic() - start < 6


@pytest.mark.parametrize(
    "said", [b"", b"\x00\xff" * 50, b"+OK\r\n" * 3, b"*-1\r\n", b"-ERR\r\n", b"$99999999999\r\n", b":1\r\n"]
)
async def test_a_port_that_speaks_nonsense(said):
    """Whatever it says: a finding or a note, and never a traceback."""

    async def speak(reader, writer):
        writer.write(said)
        await reader.read(100)
        writer.close()

    async with await asyncio.start_server(speak, "127.0.0.1", 0) as server:
        seen = (await diagnose(f"redis://127.0.0.1:{server.sockets[0].getsockname()[1]}")).examination

    assert seen.findings or seen.unchecked


async def test_a_unix_socket(odd):
    """An address may be a path."""
    server = odd()
    path = server.directory / "s"
    server.stop()
    server.words += ["--unixsocket", str(path)]
    server.start()
    seen = await diagnose(f"unix://{path}")
    gone = await diagnose(f"unix://{path}.gone")

    assert set() == seen.alarms
    assert f"ls -l {path}.gone" == gone["P03"].remedy


def test_the_table_is_whole():
    """Each row has a name of its own, a title and a proof; what is a hint never alarms."""
    assert len(TABLE) == len({row.name for row in TABLE})
    assert set(MEANINGS) == set(Proof)
    assert all(row.severity is Severity.INFO for row in TABLE if row.proof is Proof.HINT)
    assert {f"P{number:02}" for number in range(1, 72)} >= {row.number for row in TABLE if row.number != "-"}
    assert len({row.number for row in TABLE if row.number != "-"}) >= 68


def test_nothing_known_is_no_finding():
    """A case without a reading makes no check fail."""
    assert [] == judge(Case())


async def test_the_checklist_is_walked_by_evidence(odd):
    """Pass with what was seen, fail with the remedy, not applicable, or unknown."""
    server = odd("--timeout", 5)
    seen = await examine(server.url(), watch=0)
    lines = {line.name: line for line in checklist.walk(seen.case, seen.findings)}
    dead = await examine(f"redis://127.0.0.1:{free_port()}", watch=0)
    away = {line.name: line.result for line in checklist.walk(dead.case, dead.findings)}

    assert "pass" == lines["It takes writes"].result
    assert {"write": "OK"} == lines["It takes writes"].evidence
    assert ("fail", True) == (
        lines["Idle connections are not cut"].result,
        "timeout 0" in lines["Idle connections are not cut"].remedy,
    )
    assert "not applicable" == lines["Replicas follow"].result
    assert "fail" == away.pop("The app reaches the server")
    assert {"unknown"} == set(away.values())
