"""Node beside Redyard on one server: its packages are installed once, its program runs for a whole session."""

import asyncio
import json
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

import pytest

from tests.support.clients import redis
from tests.support.servers import Server

__all__ = ["redis"]
HERE = Path(__file__).parent
MODULES = HERE / "node_modules"


@pytest.fixture(scope="session")
def node_modules() -> Path:
    """Install what package-lock.json names, unless that very list was installed before."""
    wanted, made = HERE / "package-lock.json", MODULES / ".made-from"
    if not made.exists() or made.read_text() != wanted.read_text():
        command = ["npm", "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel", "error"]
        subprocess.run(command, cwd=HERE, check=True)
        shutil.copy(wanted, made)
    return MODULES


class Node:
    """A Node program that takes orders, one after the other."""

    def __init__(self, program: Path) -> None:
        command = ["node", str(program)]
        self.process = subprocess.Popen(command, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def ask(self, order: dict[str, Any]) -> Any:
        """Send an order and return its answer; a Node error is a failure here."""
        print(json.dumps(order), file=self.process.stdin, flush=True)
        answer = json.loads(self.process.stdout.readline())
        assert "error" not in answer, answer["error"]
        return answer["value"]

    def close(self) -> None:
        self.process.stdin.close()
        self.process.stdout.close()
        self.process.wait(10)


class Bull:
    """Node's BullMQ, as a test speaks to it."""

    def __init__(self, node: Node) -> None:
        self.node = node

    async def connect(self, server: Server) -> None:
        """Have what is opened from now on speak to a server."""
        url = urlsplit(server.url)
        words = {"host": url.hostname, "port": url.port, "username": url.username}
        await self.order("connect", options={**words, "password": unquote(url.password)})

    async def order(self, do: str, **words: Any) -> Any:
        """Give an order of bull.cjs."""
        return await asyncio.to_thread(self.node.ask, {"do": do, **words})

    async def call(self, name: str, method: str, *args: Any) -> Any:
        """Call a method of BullMQ's Queue."""
        return await self.order("call", name=name, method=method, args=args)

    async def add(self, name: str, job: str, data: Any = None, /, **opts: Any) -> str:
        """Add a job in Node and return its id."""
        return str((await self.call(name, "add", job, data, opts))["id"])

    async def read(self, name: str, job_id: str) -> Any:
        """Return a job as Node sees it, None where it sees none."""
        return await self.order("read", name=name, id=job_id)

    async def state(self, name: str, job_id: str) -> str:
        """Return a job's state as Node sees it."""
        return str(await self.order("job", name=name, id=job_id, method="getState", args=[]))

    async def work(self, queue: str, /, **options: Any) -> None:
        """Start a worker in Node, whose jobs say in their data what they do."""
        await self.order("work", name=queue, options=options)

    async def ran(self, name: str) -> list[dict[str, Any]]:
        """Return what Node's worker has begun."""
        return list(await self.order("ran", name=name))


@pytest.fixture(scope="session")
def node(node_modules: Path) -> Iterator[Node]:
    """Node with bull.cjs, started once: loading its packages takes half a second."""
    made = Node(HERE / "bull.cjs")
    yield made
    made.close()


@pytest.fixture
async def bull(node: Node, server: Server) -> AsyncIterator[Bull]:
    """BullMQ on this test's server; whatever it opened is closed at the end."""
    made = Bull(node)
    await made.connect(server)
    yield made
    await made.order("reset")
