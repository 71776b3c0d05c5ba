"""Passwords are exchanged while the yard is killed again and again: what `vars` prints always lets in."""

import os
import random
from functools import partial

import pytest

from tests.support.yards import Sandbox
from tests.yard.test_rotation import alive

pytestmark = pytest.mark.soak

ROUNDS = int(os.environ.get("SOAK_ROUNDS", "25"))
SEED = 20261123


def address(yard: Sandbox) -> str:
    """Return what `vars` prints."""
    return yard.calls.variables("redis")["REDIS_URL"]


def test_killed_rotations_leave_passwords_that_count(each_yard: Sandbox) -> None:
    """At any moment of a kill -9 the printed address lets in, and the next rotation ends what the old one began."""
    chance = random.Random(SEED)
    each_yard.json("add", "redis", "--role", "store")
    rotate = partial(each_yard.calls.rotate, "redis", "all", wait=20)
    used = {address(each_yard)}
    for number in range(ROUNDS):
        each_yard.kill_during(rotate, chance.uniform(0, 0.3))
        now = address(each_yard)
        used.add(now)

        assert alive(now), f"round {number}"
    rotate()
    rotate()
    now = address(each_yard)

    assert (True, []) == (alive(now), [url for url in used - {now} if alive(url)])
