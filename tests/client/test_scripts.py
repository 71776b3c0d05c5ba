"""Scripts of packages, and raw replies."""

import asyncio
import re
from importlib.resources import files
from typing import ClassVar

import pytest

from redyard.client import Breaker, Prepared, Redis, Script, raw
from redyard.client.lane import ROOM
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


class Watched(Redis):
    """A client of an app that wants to see all commands."""

    seen: ClassVar[list[str]] = []

    async def execute_command(self, *words, **options):
        self.seen.append(words[0])
        return await super().execute_command(*words, **options)


async def test_a_prepared_script_goes_the_way_of_its_client(server, redis):
    """Straight to the lane; or through `execute_command`, where a class looks at all commands or has one connection."""
    script, breaker, numbers = Script("redyard.ratelimit", "hit"), Breaker("it", 1), []
    watched = Watched.from_url(server.url)
    watched.seen.clear()
    for one in (redis, redis, watched, redis.client()):
        prepared = Prepared(script, one, breaker)
        numbers.append(await prepared.run((*prepared.head, b"1", "k", b"1000000000", b"100000000000", b"1")))
    await one.aclose()
    await watched.aclose()

    assert [10**9 * n for n in (1, 2, 3, 4)] == [round(number, -8) for number in numbers]
    assert [b"EVALSHA"] == watched.seen


async def test_a_prepared_script_waits_for_room(redis):
    """When the lane is full, like every other command."""
    script, breaker = Script("redyard.ratelimit", "hit"), Breaker("it", 5)
    prepared = Prepared(script, redis, breaker)
    words = (*prepared.head, b"1", "k", b"1", b"1000000000", b"1")
    await prepared.run(words)
    numbers = await asyncio.gather(*(prepared.run(words) for _ in range(ROOM + 10)))

    assert all(number >= 0 for number in numbers)


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
