"""What is deployed: the image's files in a bare directory, its processes, SIGTERM, the units, Railway's file.

There is no Docker here: the processes run as the Dockerfile says, with its paths moved into a directory of the test's;
where namespaces are allowed, the steps of the Dockerfile are done as they stand.
"""

import asyncio
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
from asyncio.subprocess import DEVNULL, Process
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress
from pathlib import Path
from runpy import run_path
from typing import Any

import httpx
import pytest
from examples.agent_tasks import llm, serve
from examples.agent_tasks.run import ROOT
from examples.agent_tasks.sample import SAMPLE
from railway_sdk import create_railway_context

from redyard.errors import NameTaken
from tests.support.image import context
from tests.support.servers import free_port, free_ports
from tests.support.wait import until
from tests.support.yards import Sandbox

APP = ROOT / "examples" / "agent_tasks"
DEPLOY = APP / "deploy"
UNITS = sorted((DEPLOY / "systemd").glob("*.service"))


def dockerfile_environ(moved: dict[str, Path]) -> dict[str, str]:
    """The variables of the Dockerfile, with its paths elsewhere."""
    environ = dict(re.findall(r"^ENV (\w+)=(\S+)$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE))
    for old, new in moved.items():
        environ = {name: value.replace(old, str(new)) for name, value in environ.items()}
    return environ


class Image:
    """The image in a directory, and containers as processes."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.directory = sandbox.root / "image"
        moved = {"/opt/agent-tasks": self.directory, "/data": sandbox.root, "/run/redyard": sandbox.root / "run"}
        self.environ = {
            **dockerfile_environ(moved),
            "REDYARD_PORTS": sandbox.environ["REDYARD_PORTS"],
            "PORT": str(free_port()),
            "SESSION_SECRET": "a-secret-for-tests-of-32-characters",
            "CREDITS": "100000",
            "SUBMISSIONS": "100000",
            "CALLS": "100000",
        }
        self.processes: list[Process] = []

    def install(self, **environ: str) -> None:
        """Run the image's steps."""
        command = ["sh", DEPLOY / "install.sh", self.directory]
        subprocess.run(command, env={"PATH": os.environ["PATH"], "PYTHON": sys.executable, **environ}, check=True)

    async def start(self, *command: str) -> Process:
        """Start a container's process."""
        process = await asyncio.create_subprocess_exec(
            *command, stdin=DEVNULL, stdout=DEVNULL, stderr=DEVNULL, env=self.environ, cwd="/", start_new_session=True
        )
        self.processes.append(process)
        return process

    async def start_yard(self) -> Process:
        """Start the container of the engines and wait until it is healthy, as compose does."""
        process = await self.start(str(self.directory / "start.sh"), "redyard")
        redyard = str(self.directory / "venv" / "bin" / "redyard")

        async def healthy() -> bool:
            if not (self.sandbox.root / "yard" / ".added").exists():
                return False
            return await (await self.start(redyard, "run", "--", "true")).wait() == 0

        await until(healthy, timeout=40)
        return process

    async def start_app(self, role: str) -> Process:
        """Start a container of the app, with the add-on's variables."""
        return await self.start("redyard", "run", "--", str(self.directory / "start.sh"), role)

    def browser(self, host: str = "127.0.0.1") -> httpx.AsyncClient:
        """A client of the web app."""
        return httpx.AsyncClient(base_url=f"http://{host}:{self.environ['PORT']}", timeout=20)

    async def healthy(self, host: str = "127.0.0.1") -> bool:
        """Say whether the web app is ready."""
        async with self.browser(host) as client:
            with suppress(httpx.TransportError):
                return (await client.get("/health/ready")).status_code == 200
        return False

    def tasks(self) -> dict[str, str]:
        """The states of all tasks, by their ids."""
        with sqlite3.connect(self.sandbox.root / "agent_tasks.db") as database:
            rows = database.execute("SELECT id, state FROM tasks").fetchall()
        database.close()
        return dict(rows)

    async def close(self) -> None:
        """End what is left."""
        for process in self.processes:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A directory for the image and its volumes."""
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
async def image(sandbox: Sandbox) -> AsyncIterator[Image]:
    """The image, made by its script on the packages of these tests."""
    image = Image(sandbox)
    await asyncio.to_thread(image.install, VENV=sys.prefix)
    yield image
    await image.close()


async def submit(client: httpx.AsyncClient, acknowledged: list[str]) -> None:
    """Hand tasks over until the app is gone; note each that it took."""
    with suppress(httpx.TransportError):
        while True:
            answer = await client.post("/api/tasks", json={"text": SAMPLE})
            if answer.status_code == 202:
                acknowledged.append(answer.json()["id"])


async def end(process: Process, grace: float) -> int:
    """Send SIGTERM and return the status; fail when the grace is over."""
    process.send_signal(signal.SIGTERM)
    async with asyncio.timeout(grace):
        return await process.wait()


async def serve_and_stop(image: Image) -> list[str]:
    """Run all containers, stop them while tasks come in, and return the acknowledged ones."""
    yard = await image.start_yard()
    web, worker = await image.start_app("web"), await image.start_app("worker")
    await until(image.healthy, timeout=40)
    assert await image.healthy("[::1]")
    acknowledged: list[str] = []
    async with image.browser() as client:
        await client.post("/sign-in", data={"email": "ada@example.com", "name": "Ada"})
        people = [asyncio.create_task(submit(client, acknowledged)) for _ in range(4)]
        await until(lambda: len(acknowledged) > 20 and "finished" in image.tasks().values(), timeout=40)
        statuses = await asyncio.gather(end(web, 20), end(worker, 100))
        await asyncio.gather(*people)
    statuses.append(await end(yard, 150))

    assert {0, -signal.SIGTERM} >= set(statuses)
    assert 0 == statuses[-1]
    return acknowledged


async def test_sigterm_ends_each_container_and_loses_nothing(image: Image):
    """All that was acknowledged is done after the next start: answers in hand, jobs in line, the last requests."""
    acknowledged = await serve_and_stop(image)
    await image.start_yard()
    await image.start_app("worker")

    async def done() -> bool:
        states = await asyncio.to_thread(image.tasks)
        return {states.get(task) for task in acknowledged} == {"finished"}

    await until(done, timeout=60)


@pytest.mark.soak
async def test_the_image_is_complete(sandbox: Sandbox):
    """Made in a bare directory with nothing but Python, pip and a shell, it has all that its processes need."""
    image = Image(sandbox)
    await asyncio.to_thread(image.install)
    try:
        assert await serve_and_stop(image)
    finally:
        await image.close()


NAMESPACES = ["unshare", "--mount", "--pid", "--fork", "--kill-child"]


def may_mount() -> bool:
    """Say whether this user may mount file systems: root on Linux may."""
    words = [*NAMESPACES, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    return bool(shutil.which("unshare")) and not subprocess.run(words, capture_output=True, check=False).returncode


def compose_check() -> str:
    """How compose tells that the engines' container is healthy."""
    (check,) = re.findall(r"test: \[CMD-SHELL, '(.*)'\]", (DEPLOY / "compose.yaml").read_text())
    return check.replace("$$", "$")


def run_image(plan: dict[str, Any], directory: Path) -> list[dict[str, Any]]:
    """Build the Dockerfile in namespaces of its own and run it; return what each run showed."""
    (directory / "plan").write_text(json.dumps(plan))
    program = [sys.executable, "-m", "tests.support.image", DEPLOY / "Dockerfile", ROOT, directory / "plan"]
    done = subprocess.run([*NAMESPACES, *program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.skipif(not may_mount(), reason="no right to mount")
def test_the_steps_of_the_dockerfile_make_a_container(tmp_path: Path):
    """Done in order at their own paths, they give one whose process is not root, that saves at SIGTERM and has its
    data again at the next start. It may write to its volume and its sockets alone."""
    client = (
        "redyard run -- python -c \"import os, redis; r = redis.Redis.from_url(os.environ['REDIS_URL']); print({})\""
    )
    where = "for place in /data /run/redyard /opt/agent-tasks /; do test -w $place && echo $place; done"
    ports = free_ports(8)
    plan = {
        "build": {"VENV": sys.prefix},
        "environ": {"REDYARD_PORTS": f"{ports[0]}-{ports[-1]}"},
        "command": ["redyard"],
        "check": compose_check(),
        "lines": [[client.format("r.set('kept', 1)"), f"{where}; true"], [client.format("r.get('kept')")]],
    }
    first, second = run_image(plan, tmp_path)

    assert {"user": 10001, "said": ["True", "/data\n/run/redyard"], "status": 0} == first
    assert {"user": 10001, "said": ["b'1'"], "status": 0} == second


def test_the_build_has_what_it_reads():
    """No file that the packaging names is left out of the build's context, and nothing of a yard is in it."""
    rules = (DEPLOY / "Dockerfile.dockerignore").read_text().split()
    files = {str(path) for path in context(ROOT, rules)}

    assert {"pyproject.toml", "hatch_build.py", "README.md", "LICENSE", "src/redyard/__init__.py"} <= files
    assert [] == [name for name in files if ".redyard" in name or "__pycache__" in name or ".db" in name]


def test_an_unknown_process_is_refused(image: Image):
    """With the ones that there are."""
    done = subprocess.run([image.directory / "start.sh", "wep"], env=image.environ, capture_output=True, check=False)

    assert (2, b"usage: start.sh redyard|web|worker\n") == (done.returncode, done.stderr)


def test_a_first_start_that_was_cut_short_is_finished():
    """The script knows the status of an add-on that is there already."""
    assert f"|| [ $? -eq {NameTaken.status} ]" in (DEPLOY / "start.sh").read_text()


def test_the_image_runs_as_nobody_special():
    """Not as root, with the data on a volume, and the process itself gets SIGTERM."""
    text = (DEPLOY / "Dockerfile").read_text()

    assert text.index("USER agent") < text.index("ENTRYPOINT [")
    assert "VOLUME /data" in text
    assert "STOPSIGNAL SIGTERM" in text
    assert dockerfile_environ({})["REDYARD_HOME"].startswith("/data/")


def test_no_port_is_open_to_everybody():
    """Compose publishes the web app on loopback, and no engine."""
    published = re.findall(r"ports: \[(.*)\]", (DEPLOY / "compose.yaml").read_text())

    assert ['"127.0.0.1:8000:8000"'] == published


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="systemd is not here")
def test_systemd_understands_the_unit(unit: Path, tmp_path: Path):
    """Each setting is one that systemd knows."""
    for each in UNITS:
        text = each.read_text().replace("/opt/agent-tasks/venv/bin/redyard", "/bin/sh").replace("=agent\n", "=root\n")
        (tmp_path / each.name).write_text(text)
    done = subprocess.run(["systemd-analyze", "verify", tmp_path / unit.name], capture_output=True, check=False)

    assert (0, b"") == (done.returncode, done.stderr)


def railway_graph() -> dict[str, Any]:
    """What Railway's own package makes of our file."""
    made = run_path(str(APP / ".railway" / "railway.py"))["main"](create_railway_context(environment="production"))
    return {one["name"]: one for one in made.to_graph()["resources"]}


def test_railway_gives_each_process_the_time_it_needs():
    """The default is none: a worker would be killed with its jobs in hand."""
    graph = railway_graph()
    drain = {
        name: int(graph[name]["variables"]["RAILWAY_DEPLOYMENT_DRAINING_SECONDS"]["value"])
        for name in ("web", "worker")
    }

    assert drain["web"] > serve.GRACE
    assert drain["worker"] > llm.DEADLINE


def test_railway_passes_redis_by_reference_and_checks_the_web_app():
    """A service's REDIS_URL reaches no other by itself; the check is the one that asks nobody else."""
    graph = railway_graph()
    reference = {"type": "reference", "resource": "database.Redis", "output": "REDIS_URL"}

    assert [reference, reference] == [graph[name]["variables"]["REDIS_URL"] for name in ("web", "worker")]
    assert "/health/live" == graph["web"]["deploy"]["healthcheckPath"]
    assert {"/opt/agent-tasks/start.sh web", "/opt/agent-tasks/start.sh worker"} == {
        graph[name]["deploy"]["startCommand"] for name in ("web", "worker")
    }


def test_railway_has_no_secret_in_its_file():
    """They stay where they are set."""
    graph = railway_graph()
    secrets = {
        graph[name]["variables"][secret]["type"]
        for name in ("web", "worker")
        for secret in ("SESSION_SECRET", "OPENAI_API_KEY")
    }

    assert {"preserve"} == secrets
