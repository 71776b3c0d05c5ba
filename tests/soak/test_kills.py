"""Kill loops: engines under load and yards at any moment, many times over. `make soak` prints the figures."""

import os
import random
import signal
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest
import redis

from redyard.engine.find import Engine
from redyard.engine.process import Process
from redyard.errors import RedyardError
from tests.support.servers import answers
from tests.support.wait import wait_until
from tests.support.yards import Sandbox

pytestmark = pytest.mark.soak
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "50"))
CHANCE = random.SystemRandom()
QUICK = Path("/dev/shm")
"""A file system in memory."""

EXCHANGE = 0.2
"""Seconds from the beginning of an exchange of engines to the end of the old one."""


class Writer(threading.Thread):
    """Writes numbered keys without a pause and remembers which the engine acknowledged, and when."""

    def __init__(self, url: str, name: str = "written") -> None:
        super().__init__(daemon=True)  # a test that failed must not go on writing
        self.name = name
        self.acknowledged: dict[int, float] = {}
        self._url = url
        self._stop_asked = threading.Event()

    def run(self) -> None:
        number = 0
        with redis.Redis.from_url(self._url, retry=None) as app:
            while not self._stop_asked.is_set():
                number += 1
                try:
                    app.set(f"{self.name}:{number}", number)
                except redis.RedisError:
                    continue
                self.acknowledged[number] = time.monotonic()

    def stop(self) -> None:
        self._stop_asked.set()
        self.join()


def kill_while_writing(process: Process, url: str) -> tuple[float, list[int]]:
    """Kill an engine after a random number of writes; return the seconds without it and what it had acknowledged."""
    writer = Writer(url)
    writer.start()
    enough = CHANCE.randrange(50, 5000)
    wait_until(lambda: len(writer.acknowledged) > enough)
    process.send(signal.SIGKILL)
    killed = time.monotonic()
    wait_until(lambda: not process.alive())
    wait_until(lambda: answers(url), timeout=30)
    gap = time.monotonic() - killed
    writer.stop()
    return gap, [number for number, when in writer.acknowledged.items() if when < killed]


def report(say: Callable[[str], None], what: str, seconds: list[float]) -> None:
    median, worst = statistics.median(seconds) * 1000, max(seconds) * 1000
    say(f"{what}: median {median:.0f} ms, worst {worst:.0f} ms, n {len(seconds)}")


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Print past pytest's capture."""

    def line(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}", end="")

    return line


def test_engines_killed_under_load_lose_nothing(each_yard: Sandbox, say: Callable[[str], None]) -> None:
    """A store killed at a random moment under full writing is served again by itself, with every acknowledged write."""
    each_yard.json("add", "redis", "--role", "store", "--plan", "1gb")
    url = each_yard.url("redis-store")
    gaps, written, lost = [], 0, 0
    for _ in range(ROUNDS):
        wait_until(lambda: each_yard.phase("redis-store") == "running", timeout=30)
        gap, old = kill_while_writing(each_yard.process("redis-store"), url)
        with redis.Redis.from_url(url) as app:
            lost += sum(value is None for value in app.mget([f"written:{number}" for number in old]))
        gaps.append(gap)
        written += len(old)
        each_yard.json("restart", "redis-store")  # a fresh count of crashes: this must not look like a broken engine

    report(say, f"{each_yard.environ['REDYARD_ENGINE'].rpartition('/')[2]} killed -> served", gaps)
    say(f"acknowledged before the kill {written}, lost {lost}")
    assert 0 == lost


def test_yards_killed_at_any_moment_leave_one_consistent_state(yard: Sandbox, say: Callable[[str], None]) -> None:
    """A yard killed while it adds, removes, restarts or idles is followed by one that serves what was promised."""
    yard.json("add", "redis", "--role", "store")
    url, pid = yard.url("redis-store"), yard.instance("redis-store")["pid"]
    seconds = []
    for number in range(ROUNDS):
        name = f"extra{number}"
        command = CHANCE.choice(
            [["add", "redis", "--name", name], ["restart", "redis"], ["status"], ["add-remove", name]]
        )
        if command[0] == "add-remove":
            yard.json("add", "redis", "--name", name, "--role", "cache")
            command = ["remove", name, "--confirm", name]
        process = Process.find(yard.yard_pid())
        running = yard.start(*command)
        threading.Event().wait(CHANCE.random() * 0.6)  # any moment is the point
        process.send(signal.SIGKILL)
        done = running.communicate(timeout=60) and running.returncode
        began = time.monotonic()
        yard.json("up", "--detach")
        seconds.append(time.monotonic() - began)
        check(yard, name, command, succeeded=done == 0)
        for item in {item["addon"] for item in yard.json("status")["instances"]} - {"redis"}:
            yard.json("remove", item, "--confirm", item)

    report(say, "yard killed -> next is up", seconds)
    assert answers(url)
    assert pid


def check(yard: Sandbox, name: str, command: list[str], *, succeeded: bool) -> None:
    """The instances of the status are those of the disk, all run, an add-on is whole or absent as was promised."""
    instances = yard.json("status")["instances"]
    own = {item["role"] for item in instances if item["addon"] == name}

    assert {item["name"] for item in instances} == {path.name for path in yard.home.instances.iterdir()}
    assert {"running"} == {item["phase"] for item in instances if item["wanted"] == "running"}
    assert not yard.home.unfinished.exists()
    if command[0] == "add":
        assert own == {"store", "cache"} if succeeded else own in (set(), {"store", "cache"})
    if command[0] == "remove":
        assert not own if succeeded else own in (set(), {"cache"})


class Restart(threading.Thread):
    """Asks for a restart, which is a move, and notes whether it was told that it was made."""

    def __init__(self, yard: Sandbox) -> None:
        super().__init__(daemon=True)
        self.made = False
        self._calls = yard.calls
        self.start()

    def run(self) -> None:
        with suppress(RedyardError):
            self.made = bool(self._calls.restart("redis-store")["moved"])


@pytest.fixture
def quick_yard(engine: Engine) -> Iterator[Sandbox]:
    """A yard in memory: an engine that is killed while its disk is slow may not have written what it acknowledged."""
    with tempfile.TemporaryDirectory(prefix="redyard-test-", dir=QUICK if QUICK.exists() else "/tmp") as home:
        sandbox = Sandbox(engine.path)
        sandbox.environ["REDYARD_HOME"] = f"{home}/yard"
        yield sandbox
        sandbox.close()


@pytest.mark.parametrize("victim", ["yard", "engine"])
def test_kills_during_moves_leave_one_consistent_state(
    quick_yard: Sandbox, say: Callable[[str], None], victim: str
) -> None:
    """A yard or an engine killed at a random moment of a move: one engine is left, with every acknowledged write.

    In half of the rounds the moment is one of the exchange, which would else hardly ever be met.
    """
    quick_yard.json("add", "redis", "--role", "store", "--plan", "1gb")
    store, url = quick_yard.home.instances / "redis-store", quick_yard.url("redis-store")
    span = quick_yard.calls.restart("redis-store")["moved"][0]["seconds"]
    lost, written, ends = 0, 0, []
    for round_number in range(ROUNDS):
        writer = Writer(url, f"round{round_number}")
        writer.start()
        wait_until(lambda writer=writer: len(writer.acknowledged) > 100)
        before, process = generations(store), Process.find(quick_yard.yard_pid())
        running, late = Restart(quick_yard), round_number % 2
        wait_until(lambda before=before: generations(store) != before, timeout=30)
        if victim == "engine":
            process = wait_until(lambda: one_of_two(store))
        while late and not (store / "spec.json.next").exists() and running.is_alive():
            pass  # the exchange takes some milliseconds: a look each ten would miss it
        threading.Event().wait(CHANCE.random() ** 2 * (EXCHANGE if late else span))  # any moment is the point
        process.send(signal.SIGKILL)
        running.join()
        wait_until(lambda process=process: not process.alive())
        if victim == "yard":
            wait_until(lambda: not quick_yard.home.is_held())
            quick_yard.json("up", "--detach")
        wait_until(lambda: answers(url), timeout=30)
        writer.stop()
        wait_until(lambda: quick_yard.phase("redis-store") == "running", timeout=30)
        names = [f"{writer.name}:{number}" for number in writer.acknowledged]
        with redis.Redis.from_url(url) as app:
            lost += sum(value is None for value in app.mget(names))
        written += len(names)
        assert 1 == len(generations(store)), generations(store)
        ends.append((generations(store) != before, running.made))

    new, told = sum(moved for moved, _ in ends), sum(done for _, done in ends)
    say(f"killed {victim}: {ROUNDS} moves, {new} made, {told} told so; {written} acknowledged writes, {lost} lost")
    assert 0 == lost
    assert all(moved for moved, done in ends if done)


def generations(store: Path) -> set[str]:
    """Return the names of the seats of an instance: two while it is moved."""
    return {path.name for path in store.glob("engine-*")}


def one_of_two(store: Path) -> Process | None:
    """Return one of the two engines of a move, once there are two; to ask who has their locks would take too long."""
    found = [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if serves(pid, store)]
    return Process.find(CHANCE.choice(found)) if len(found) == 2 else None


def serves(pid: int, store: Path) -> bool:
    """Say whether a process is an engine of an instance; a child that saves is none."""
    with suppress(OSError):
        return Path(os.readlink(f"/proc/{pid}/cwd")).is_relative_to(store) and os.getsid(pid) == pid
    return False
