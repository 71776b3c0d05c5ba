"""Kill loops: engines under load and yards at any moment, many times over. `make soak` prints the figures."""

import os
import random
import signal
import statistics
import threading
import time
from collections.abc import Callable
from contextlib import suppress

import pytest
import redis

from redyard.engine.lock import holders
from redyard.engine.process import Process
from tests.support.servers import answers
from tests.support.wait import wait_until
from tests.support.yards import Sandbox

pytestmark = pytest.mark.soak
ROUNDS = int(os.environ.get("SOAK_ROUNDS", "50"))
CHANCE = random.SystemRandom()


class Writer(threading.Thread):
    """Writes numbered keys without a pause and remembers which the engine acknowledged, and when."""

    def __init__(self, url: str, name: str = "written") -> None:
        super().__init__()
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


@pytest.mark.parametrize("victim", ["yard", "engine"])
def test_kills_during_moves_leave_one_consistent_state(
    each_yard: Sandbox, say: Callable[[str], None], victim: str
) -> None:
    """A yard or an engine killed at a random moment of a move: one engine is left, with every acknowledged write."""
    each_yard.json("add", "redis", "--role", "store", "--plan", "1gb")
    url, lost, written, moved = each_yard.url("redis-store"), 0, 0, 0
    for round_number in range(ROUNDS):
        writer = Writer(url, f"round{round_number}")
        writer.start()
        wait_until(lambda writer=writer: len(writer.acknowledged) > 100)
        pids = [each_yard.yard_pid()] if victim == "yard" else engines(each_yard)
        running = each_yard.start("restart", "redis-store")
        threading.Event().wait(0.2 + CHANCE.random())  # any moment is the point
        pids = pids if victim == "yard" else engines(each_yard)
        process = Process.find(CHANCE.choice(pids))
        process.send(signal.SIGKILL)
        running.communicate(timeout=60)
        wait_until(lambda process=process: not process.alive())
        if victim == "yard":
            wait_until(lambda: not each_yard.home.is_held())
            each_yard.json("up", "--detach")
        wait_until(lambda: answers(url), timeout=30)
        writer.stop()
        wait_until(lambda: each_yard.phase("redis-store") == "running", timeout=30)
        names = [f"{writer.name}:{number}" for number in writer.acknowledged]
        with redis.Redis.from_url(url) as app:
            lost += sum(value is None for value in app.mget(names))
        written += len(names)
        moved += running.returncode == 0
        seats = list((each_yard.home.instances / "redis-store").glob("engine-*"))
        assert 1 == len(seats), seats

    say(f"killed {victim}: {ROUNDS} moves, {moved} of them done, {written} acknowledged writes, {lost} lost")
    assert 0 == lost


def engines(yard: Sandbox) -> list[int]:
    """Return the processes of all engines of an instance; the yard has a lock open, too, while it starts an engine."""
    locks = (yard.home.instances / "redis-store").glob("engine-*/engine.lock")
    return [pid for lock in locks for pid in holders(lock) if session_of(pid) == pid != yard.yard_pid()]


def session_of(pid: int) -> int | None:
    """Return the session of a process, None of one that has ended meanwhile."""
    with suppress(ProcessLookupError):
        return os.getsid(pid)
    return None
