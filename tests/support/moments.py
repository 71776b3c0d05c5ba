"""A mixed load whose every step is one transaction with a number, and restored moments compared with a replay of it."""

import json
import random
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path

import redis

from redyard.backups import canonical, restore
from redyard.backups.scratch import scratch
from redyard.backups.storage import Storage
from redyard.engine.find import Engine

Commands = list[tuple[object, ...]]
FAR = 4_000_000_000_000
ADD = "return redis.call('XADD', KEYS[1], redis.call('INCR', KEYS[2]) .. '-1', 'field', ARGV[1])"
"""A stream's own numbers are times, which a replay would not give again."""

LIBRARY = (
    "#!lua name=counted\nredis.register_function('add', function(k, a) return redis.call('INCRBY', k[1], a[1]) end)"
)


def steps(seed: int) -> Iterator[Commands]:
    """Yield the commands of each step: every type, ends, scripts, functions, three databases."""
    dice = random.Random(seed)
    yield [("FUNCTION", "LOAD", LIBRARY)]
    while True:
        yield [("SELECT", dice.randrange(3)), *(dice.choice(KINDS)(dice) for _ in range(dice.randint(1, 4)))]


def _key(dice: random.Random, kind: str) -> str:
    return f"{kind}:{dice.randrange(20)}"


KINDS = (
    lambda dice: ("SET", _key(dice, "text"), dice.randbytes(dice.randrange(200))),
    lambda dice: ("SET", _key(dice, "ends"), dice.random(), "PXAT", FAR + dice.randrange(10**6)),
    lambda dice: ("APPEND", _key(dice, "text"), "\r\n*1\r\n$8\r\nFLUSHALL\r\n"),
    lambda dice: ("HSET", _key(dice, "hash"), dice.randrange(50), dice.random()),
    lambda dice: ("HDEL", _key(dice, "hash"), dice.randrange(50)),
    lambda dice: ("RPUSH", _key(dice, "list"), dice.random(), dice.random()),
    lambda dice: ("LPOP", _key(dice, "list")),
    lambda dice: ("SADD", _key(dice, "set"), dice.randrange(99), dice.randrange(99)),
    lambda dice: ("SREM", _key(dice, "set"), dice.randrange(99)),
    lambda dice: ("ZADD", _key(dice, "zset"), dice.random(), dice.randrange(99)),
    lambda dice: ("ZINCRBY", _key(dice, "zset"), dice.random(), dice.randrange(99)),
    lambda dice: ("DEL", _key(dice, dice.choice(("text", "hash", "list", "set", "zset")))),
    lambda dice: ("EVAL", "return redis.call('INCRBY', KEYS[1], ARGV[1])", 1, _key(dice, "count"), dice.randrange(9)),
    lambda dice: ("FCALL", "add", 1, _key(dice, "count"), dice.randrange(9)),
    lambda dice: ("PERSIST", _key(dice, "ends")),
    lambda dice: ("PEXPIREAT", _key(dice, dice.choice(("text", "hash", "list"))), 1),
    lambda dice: ("EVAL", ADD, 2, f"stream:{dice.randrange(5)}", "count:stream", dice.random()),
    lambda dice: ("XTRIM", f"stream:{dice.randrange(5)}", "MAXLEN", dice.randrange(20)),
)


def run(app: redis.Redis, commands: Commands) -> None:
    """Run a step, with its number, in one transaction."""
    with app.pipeline(transaction=True) as pipe:
        for words in commands:
            pipe.execute_command(*words)
        pipe.execute_command("SELECT", 0)
        pipe.execute_command("INCR", "step")
        pipe.execute()


def work(url: str, seed: int, seconds: float) -> list[tuple[float, float]]:
    """Run steps for a while; return when each began and was acknowledged."""
    times, end = [], time.time() + seconds
    with redis.Redis.from_url(url) as app:
        for commands in steps(seed):
            began = time.time()
            run(app, commands)
            times.append((began, time.time()))
            if times[-1][1] > end:
                return times
    raise AssertionError


def work_elsewhere(url: str, seed: int, seconds: float) -> list[tuple[float, float]]:
    """Do the same in a process of its own: in a follower's it would take the follower's turns."""
    words = [sys.executable, "-m", "tests.support.moments", url, str(seed), str(seconds)]
    told = subprocess.run(words, stdout=subprocess.PIPE, check=True).stdout
    return [tuple(pair) for pair in json.loads(told)]


def compare(
    engine: Engine,
    storage: Storage,
    seed: int,
    times: list[tuple[float, float]],
    moments: Iterable[float],
    precision: Callable[[float], float],
) -> int:
    """Restore moments and compare each with a replay of as many steps; return how many were compared.

    Args:
        precision: says by how many seconds a moment may be older than it was asked for.
    """
    found = []
    for at in sorted(moments):
        least = sum(done <= at - precision(at) for _, done in times)
        most = sum(began <= at for began, _ in times)
        with scratch(engine, partial(_fill, storage, at)) as made:
            state = canonical.state(made.client)
            made.client.execute_command("SELECT", 0)
            step = int(made.client.execute_command("GET", "step") or 0)
        assert least <= step <= most, f"at {at}: step {step} is not within {least} and {most}"
        found.append((step, state))
    with scratch(engine, _nothing) as made:
        replayed, source = 0, steps(seed)
        for step, state in sorted(found):
            for _ in range(step - replayed):
                run(made.client, next(source))
            replayed = step
            assert canonical.state(made.client) == state, f"step {step}"
    return len(found)


def _fill(storage: Storage, at: float, data: Path) -> None:
    restore.assemble(storage, restore.find(storage, at), data)


def _nothing(_data: Path) -> None:
    """Let a scratch engine begin empty."""


if __name__ == "__main__":
    print(json.dumps(work(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))))
