"""Scripts of packages, and raw replies."""

import re
from importlib.resources import files

import pytest

from redyard.client import Script, raw
from tests.support.clients import client

SCRIPTS = [
    (package, path.name.removesuffix(".lua"))
    for package in ("redyard.queue", "redyard.sessions", "redyard.ratelimit")
    for path in files(package).joinpath("lua").iterdir()
]


async def test_a_script_runs_on_a_server_that_never_saw_it(server, redis):
    """EVALSHA falls back to EVAL, also after the server forgot its scripts."""
    script = Script("redyard.ratelimit", "hit")
    first = await script.run(redis, ["k"], 10**9, 10**10, 1)
    server.admin("SCRIPT", "FLUSH")
    second = await script.run(redis, ["k"], 10**9, 10**10, 1)

    assert 10**9 == first
    assert 19 * 10**8 < second < 2 * 10**9


@pytest.mark.parametrize("protocol", [2, 3])
async def test_raw_replies_are_bytes_for_every_client(server, decode, protocol):
    """Neither decode_responses nor the protocol changes what the kit reads."""
    async with client(server.url, decode_responses=decode, protocol=protocol) as redis:
        await redis.set("a", "é")

        assert "é".encode() == await raw(redis, "GET", "a")


@pytest.mark.parametrize(("package", "name"), SCRIPTS)
def test_a_script_says_what_it_takes_and_returns(package, name):
    """The header lists every KEYS and ARGV that the body uses, and the results."""
    text = Script(package, name).text
    header = "\n".join(line for line in text.splitlines() if line.startswith("--"))
    body = text.replace(header, "")
    used = set(re.findall(r"(KEYS|ARGV)\[(\d+)\]", body))

    assert "Returns" in header or "returns" in header
    for kind, number in used:
        part = header[header.index(kind) :]
        part = part[: part.find("ARGV")] if kind == "KEYS" and "ARGV" in part else part
        assert f"[{number}]" in part or re.search(rf"\[{number}\.\.", part), f"{name}: {kind}[{number}]"
