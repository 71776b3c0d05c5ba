"""The whole with real processes: an add-on, `run.py`, a browser's requests, a summary, and nothing left behind."""

import asyncio
import json
import os
import re
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import psutil
import pytest
from examples.agent_tasks.run import ROOT
from examples.agent_tasks.sample import SAMPLE
from examples.agent_tasks.summarise import summarise

from tests.examples.chromium import CHROMIUM, chromium
from tests.support.servers import free_port
from tests.support.wait import until

RUN = ROOT / "examples" / "agent_tasks" / "run.py"


@dataclass
class Running:
    """A run.py that has said its addresses."""

    process: Process
    said: str
    family: list[psutil.Process]

    @property
    def app(self) -> str:
        """The app's address."""
        found = re.search(r"http://127\.0\.0\.1:\d+", self.said)
        assert found is not None
        return found[0]

    async def ended(self) -> int:
        """Wait until run.py has ended and all that it started is gone; return its status."""
        status = await self.process.wait()
        await until(lambda: not [one for one in self.family if alive(one)], timeout=20)
        return status


def alive(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


async def redyard(environ: dict[str, str], *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "redyard", *arguments, stdout=PIPE, stderr=PIPE, env=environ, cwd=ROOT
    )
    output, errors = await process.communicate()
    return process.returncode or 0, (output + errors).decode()


@pytest.fixture
async def environ(tmp_path: Path) -> AsyncIterator[dict[str, str]]:
    """An environment with a yard of its own, which is ended afterwards."""
    first = free_port()
    environ = {
        "PATH": os.environ["PATH"],
        "REDYARD_HOME": str(tmp_path / "yard"),
        "REDYARD_PORTS": f"{first}-{first + 40}",
        "REDYARD_RUNTIME": os.environ.get("REDYARD_RUNTIME", ""),
        "DATABASE_URL": f"sqlite:///{tmp_path / 'tasks.db'}",
        "PORT": str(first + 100),
    }
    yield environ
    await redyard(environ, "down")


@asynccontextmanager
async def running(environ: dict[str, str]) -> AsyncIterator[Running]:
    process = await asyncio.create_subprocess_exec(sys.executable, RUN, stdout=PIPE, stderr=PIPE, env=environ)
    assert process.stdout is not None
    said = ""
    try:
        async with asyncio.timeout(60):
            while "Ctrl-C" not in said:
                line = await process.stdout.readline()
                assert line, (await process.stderr.read()).decode() if process.stderr else ""
                said += line.decode()
        yield Running(process, said, psutil.Process(process.pid).children(recursive=True))
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def test_a_text_becomes_a_summary(environ: dict[str, str]):
    """From nothing: the add-on is made, a person signs in and submits, the worker answers; SIGTERM ends it all."""
    async with running(environ) as run, httpx.AsyncClient(base_url=run.app) as person:
        health = await person.get("/health/complete")
        await person.post("/sign-in", data={"email": "ada@example.com", "name": "Ada"})
        task_id = (await person.post("/api/tasks", json={"text": SAMPLE})).json()["id"]

        async def finished() -> dict[str, object] | None:
            task = (await person.get(f"/api/tasks/{task_id}")).json()
            return task if task["state"] in {"finished", "failed"} else None

        task = await until(finished, timeout=20)
        page = (await person.get("/")).text
        run.process.send_signal(signal.SIGTERM)
        status = await run.ended()
    still, addon = await redyard(environ, "status", "--json")

    assert 200 == health.status_code
    assert isinstance(task, dict)
    assert (task["state"], task["summary"], task["percent"]) == ("finished", summarise(SAMPLE), 100)
    assert "Light-emitting diodes" in page
    assert 2 == len(run.family)
    assert (status, still) == (0, 0)
    assert {"redis-store", "redis-cache"} == {instance["name"] for instance in json.loads(addon)["instances"]}


async def test_it_can_be_started_again_on_a_yard_that_stands_still(environ: dict[str, str]):
    """What is there is used: the second start makes no second add-on, and takes the next port if its own is taken."""
    await redyard(environ, "add", "redis")
    await redyard(environ, "down")
    async with running(environ) as first, running(environ) as second:
        status, addon = await redyard(environ, "status", "--json")
        addresses = {first.app, second.app}
        for run in (first, second):
            run.process.send_signal(signal.SIGINT)
        ends = [await first.ended(), await second.ended()]

    assert (0, 2, 2) == (status, len(json.loads(addon)["instances"]), len(addresses))
    assert [0, 0] == ends


async def test_when_one_ends_so_does_the_other(environ: dict[str, str]):
    """A worker that is killed is not started again in silence."""
    async with running(environ) as run:
        worker = next(one for one in run.family if any(word.endswith("worker") for word in one.cmdline()))
        worker.kill()
        status = await run.ended()
        assert run.process.stderr is not None
        errors = (await run.process.stderr.read()).decode()

    assert 128 + signal.SIGKILL == status
    assert "The worker ended by itself" in errors


async def test_a_killed_start_leaves_no_orphans(environ: dict[str, str]):
    """Even SIGKILL, which no program can answer, takes the app and the worker along."""
    async with running(environ) as run:
        run.process.kill()
        status = await run.ended()

    assert status == -signal.SIGKILL


@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium: apt-get install chromium")
async def test_the_page_watches_by_itself(environ: dict[str, str], tmp_path: Path):
    """In a browser a task goes from submitted to done without a reload, a complaint or a request to anybody else."""
    async with running(environ) as run, chromium(tmp_path / "profile") as page:
        await page.visit(f"{run.app}/")
        await page.run("document.querySelector('[name=email]').value = 'ada@example.com'")
        await page.run("document.querySelector('form').submit()")
        await page.sees("!!document.querySelector('.empty')")
        await page.visit(f"{run.app}/?sample=1")
        await page.run("document.querySelector('[data-composer] button').click()")
        summary = await page.sees("document.querySelector('.finished .summary')?.textContent")
        credits_left = await page.run("document.querySelector('[data-credits]').textContent")
        run.process.send_signal(signal.SIGTERM)
        await run.ended()

    assert summary == summarise(SAMPLE)
    assert "9" == credits_left
    assert [] == page.complaints
    assert {urlsplit(run.app).netloc} == {urlsplit(address).netloc for address in page.requested}


async def test_a_yard_that_cannot_be_made_is_said_in_words(environ: dict[str, str], tmp_path: Path):
    """The reason and the way out of it are printed, and the status is the command's."""
    (tmp_path / "file").write_text("")
    given = {**environ, "REDYARD_HOME": str(tmp_path / "file" / "yard")}
    process = await asyncio.create_subprocess_exec(sys.executable, RUN, stdout=PIPE, stderr=PIPE, env=given)
    _, errors = await process.communicate()

    assert 12 == process.returncode
    assert "cannot be used" in errors.decode()
    assert "REDYARD_HOME" in errors.decode()
    assert "Traceback" not in errors.decode()
