"""`redyard worker`: an app's queue, run by its own code's tasks."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from contextlib import contextmanager
from pathlib import Path

import pytest

from redyard.cli.commands.worker import Options, command
from redyard.engine.find import find
from tests.support.clients import client
from tests.support.servers import Server, free_port
from tests.support.wait import until, wait_until

JOBS = """
import os, time
from redyard import Queue, Redis, Worker

redis = Redis.from_env()
queue = Queue(redis, "q", attempts=1)
empty = Queue(redis, "empty")
other = 3

@queue.job
async def process() -> int:
    return os.getpid()

@queue.job
def slow(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"

async def handle(job):
    return "handled"

worker = Worker(Queue(redis, "own"), handle, concurrency=2)
"""


class App:
    """A directory with an app's jobs, and a server."""

    def __init__(self, server: Server, root: Path) -> None:
        self.root = root
        (root / "jobs.py").write_text(JOBS)
        (root / "broken.py").write_text("import jobs\n1 / 0\n")
        own = {name: value for name, value in os.environ.items() if not name.startswith(("REDYARD_", "REDIS"))}
        self.environ = {**own, "REDIS_URL": server.url}
        self.url = server.url

    def run(self, *args: str, **environ: str) -> subprocess.CompletedProcess:
        """Run a command to its end."""
        words = [sys.executable, "-m", "redyard", *args]
        env = {**self.environ, **environ}
        return subprocess.run(words, env=env, cwd=self.root, capture_output=True, text=True, check=False, timeout=60)

    def error(self, *args: str, **environ: str) -> dict:
        """Run a command that must fail, and return its error."""
        done = self.run(*args, "--json", **environ)
        assert done.returncode > 0
        return json.loads(done.stderr.strip().splitlines()[-1])

    @contextmanager
    def worker(self, *args: str):
        """A running worker; what is left of it is ended."""
        words = [sys.executable, "-m", "redyard", "worker", *args]
        process = subprocess.Popen(words, env=self.environ, cwd=self.root, stderr=subprocess.PIPE, text=True)
        try:
            yield process
        finally:
            process.kill()
            process.communicate()

    async def ask(self, name: str, data: object = None) -> object:
        """Add a job and return its result."""
        from redyard import Queue

        async with client(self.url) as redis:
            return await (await Queue(redis, "q", attempts=1).add(name, data or {})).result(20)


@pytest.fixture(scope="module")
def store():
    """One engine is enough: these tests are about processes."""
    server = Server(find())
    yield server
    server.close()


@pytest.fixture
def app(store):
    """An app whose directory is removed afterwards."""
    store.admin("FLUSHALL")
    with tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp") as root:
        yield App(store, Path(root))


def started(process: subprocess.Popen, count: int = 1) -> list[int]:
    """Wait until so many workers take jobs, and return their processes."""
    found: list[int] = []
    while len(found) < count:
        line = process.stderr.readline()
        assert line, "it ended"
        if match := re.search(r"The worker \S+:(\d+) of \S+ takes jobs", line):
            found.append(int(match[1]))
    return found


def alive(pid: int) -> bool:
    """Say whether a process lives."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def get(port: int, path: str) -> tuple[int, str]:
    """Ask a page."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


@pytest.mark.parametrize(
    ("target", "reason"),
    [
        ("jobs", "it is not MODULE:QUEUE"),
        ("nowhere:queue", "there is no module 'nowhere'"),
        ("jobs:nothing", "it has no 'nothing'; queues and workers there: queue, empty, worker"),
        ("jobs:other", "it is a int, no Queue and no Worker"),
        ("jobs:empty", "the queue has no tasks"),
        ("broken:queue", r"broken.py:2: ZeroDivisionError: division by zero"),
    ],
)
def test_words_that_name_no_queue_are_an_error_at_once(app, target, reason):
    """With what is there instead, or the line that broke; before any process is started."""
    error = app.error("worker", target, "--processes", "2")

    assert "NoQueue" == error["error"]
    assert reason in error["message"]


def test_a_worker_does_jobs_until_it_is_told_to_stop(app):
    """By its queue's tasks; it finishes what it has in hand."""
    with app.worker("jobs:queue") as process:
        (pid,) = started(process)

        assert pid == asyncio.run(app.ask("process"))

        async def stop_in_mid_job() -> object:
            asking = asyncio.create_task(app.ask("slow", {"seconds": 0.5}))
            async with client(app.url) as redis:
                await until(lambda: redis.llen("bull:q:active"))
            process.terminate()
            return await asking

        assert "slept" == asyncio.run(stop_in_mid_job())
        assert 0 == process.wait(20)


def test_a_worker_of_the_app_s_own_is_run(app):
    """With its handler."""
    with app.worker("jobs:worker") as process:
        started(process)

        async def ask() -> object:
            from redyard import Queue

            async with client(app.url) as redis:
                return await (await Queue(redis, "own").add("any")).result(10)

        assert "handled" == asyncio.run(ask())


def test_the_port_tells_health_and_figures(app):
    """On loopback; other pages are not there; a port that is taken is an error."""
    port = free_port()
    with app.worker("jobs:queue", "--port", str(port)) as process:
        started(process)
        status, text = get(port, "/health")

        assert (200, "healthy") == (status, json.loads(text)["status"])
        assert 'redyard_queue_jobs{queue="q",state="waiting"} 0' in get(port, "/metrics")[1]
        assert 'redyard_events_total{kind="job.ended"} 0' in get(port, "/metrics")[1]
        assert 200 == get(port, "/ready")[0]
        assert 404 == get(port, "/secret")[0]
        assert "PortInUse" == app.error("worker", "jobs:queue", "--port", str(port))["error"]


def test_a_worker_that_stops_is_well_but_not_ready(app):
    """While it ends the jobs in hand."""
    port = free_port()
    with app.worker("jobs:queue", "--port", str(port)) as process:
        started(process)

        async def stop_in_mid_job() -> None:
            async with client(app.url) as redis:
                from redyard import Queue

                await Queue(redis, "q").add("slow", {"seconds": 5})
                await until(lambda: redis.llen("bull:q:active"))

        asyncio.run(stop_in_mid_job())
        process.terminate()

        wait_until(lambda: get(port, "/ready")[0] == 503)
        assert 200 == get(port, "/health")[0]


def test_several_processes_share_the_work_and_one_that_dies_is_replaced(app):
    """All end with their parent."""
    with app.worker("jobs:queue", "--processes", "2") as process:
        first, second = started(process, 2)
        os.kill(first, signal.SIGKILL)
        (third,) = started(process)

        assert asyncio.run(app.ask("process")) in {second, third}
        process.terminate()
        assert 0 == process.wait(20)
    assert [False] * 3 == [alive(pid) for pid in (first, second, third)]


def test_children_end_when_their_parent_is_killed(app):
    """Their leash breaks."""
    with app.worker("jobs:queue", "--processes", "2") as process:
        children = started(process, 2)
        process.kill()

        wait_until(lambda: not any(map(alive, children)))


def test_a_change_of_the_code_starts_it_anew(app):
    """Also after an error, which is waited out."""
    with app.worker("jobs:queue", "--reload") as process:
        (first,) = started(process)
        (app.root / "jobs.py").write_text("1 / 0\n")
        while "waiting for a change" not in (line := process.stderr.readline()):
            assert line
        (app.root / "jobs.py").write_text(JOBS.replace('"slept"', '"anew"'))
        (second,) = started(process)

        assert first != second
        assert "anew" == asyncio.run(app.ask("slow", {"seconds": 0}))
        process.send_signal(signal.SIGINT)
        assert 0 == process.wait(20)


def test_a_server_that_evicts_is_refused_at_the_start(app, store):
    """With the remedy, and the error's status."""
    store.admin("CONFIG", "SET", "maxmemory-policy", "allkeys-lru")
    try:
        error = app.error("worker", "jobs:queue")
    finally:
        store.admin("CONFIG", "SET", "maxmemory-policy", "noeviction")

    assert ("EvictingServer", 53) == (error["error"], error["status"])


def test_no_server_is_named(app):
    """What the app's module raises is told as it is."""
    assert "NoURL" == app.error("worker", "jobs:queue", REDIS_URL="")["error"]


def test_a_child_gets_the_words_of_its_parent():
    """The port is the first one's."""
    options = Options("a:b", 5, 2.5, 9000)

    assert ["--concurrency", "5", "--grace", "2.5", "--port", "9000"] == command(options, first=True, as_json=False)[6:]
    assert ["--concurrency", "5", "--grace", "2.5", "--json"] == command(options, first=False, as_json=True)[6:]
