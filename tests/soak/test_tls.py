"""TLS is switched on and off while the yard is killed: the next one opens the door that is written."""

import asyncio
import json
import os
import random
from functools import partial

import pytest

from redyard import Redis
from redyard.engine.find import Engine
from redyard.yard import doors
from redyard.yard.registry import Registry
from tests.support.yards import Sandbox

pytestmark = pytest.mark.soak

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "10"))
SEED = 20261123


def answers(yard: Sandbox) -> bool:
    """Say whether an app with the variables of now gets in."""

    async def ask() -> bool:
        async with Redis.from_env("cache", environ=yard.calls.variables("redis")) as client:
            return bool(await client.ping())

    return asyncio.run(ask())


@pytest.mark.parametrize("on", [True, False])
def test_yard_that_died_before_the_engine_heard(each_yard: Sandbox, engine: Engine, on: bool) -> None:
    """It wrote what shall be, and nothing else: the next yard has the engine, or an edge, do it; and the way back."""
    each_yard.json("add", "redis", "--role", "cache", *([] if on else ["--tls"]))
    registry = Registry(each_yard.home)
    [spec] = registry.specs()
    path = registry.directory(spec.name) / "spec.json"
    each_yard.kill_yard()
    path.write_text(json.dumps({**json.loads(path.read_text()), "tls": doors.way(engine) if on else ""}))
    [wanted] = registry.specs()
    doors.equip(registry, wanted)
    each_yard.json("up", "--detach")

    assert on == each_yard.calls.variables("redis")["REDIS_CACHE_URL"].startswith("rediss:")
    assert answers(each_yard)


def test_killed_at_any_moment(each_yard: Sandbox) -> None:
    """Whatever moment a kill -9 of the yard meets, what `vars` prints afterwards lets in."""
    chance = random.Random(SEED)
    each_yard.json("add", "redis", "--role", "cache")
    for number in range(ROUNDS):
        change = each_yard.calls.disable_tls if number % 2 else each_yard.calls.enable_tls
        each_yard.kill_during(partial(change, "redis"), chance.uniform(0, 0.6))

        assert answers(each_yard), f"round {number}"
