"""The processes of a measurement: the engine, and a worker for each peer, which takes one order after the other."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import redis
from tests.support.servers import free_port
from tests.support.wait import wait_until

from benchmarks.peers import environments
from redyard.engine.find import find

ROOT = Path(__file__).parents[2]


class Figures(NamedTuple):
    """Commands per second, microseconds of the client's CPU per command, connections that the server counted."""

    rate: float
    cpu: float
    connections: int


class Server:
    """An engine without persistence, and a line to ask it how many clients it has."""

    def __init__(self, directory: str) -> None:
        self.port = free_port()
        self.urls = {"TCP": f"redis://127.0.0.1:{self.port}", "Unix socket": f"unix://{directory}/s"}
        options = f"--bind 127.0.0.1 --port {self.port} --unixsocket {directory}/s --dir {directory} --appendonly no"
        self.engine = find()
        command = [self.engine.path, *options.split(), "--save", "", "--maxclients", "5000"]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        self.line = redis.Redis(unix_socket_path=f"{directory}/s")
        wait_until(self.answers)

    def answers(self) -> bool:
        try:
            return bool(self.line.ping())
        except redis.ConnectionError:
            return False

    def connections(self) -> int:
        return int(self.line.info("clients")["connected_clients"]) - 1

    def close(self) -> None:
        self.line.close()
        self.process.kill()
        self.process.wait()


class Worker:
    """A peer's process: it takes one order after the other."""

    def __init__(self, peer: str, command: list[str]) -> None:
        self.peer = peer
        self.process = subprocess.Popen(command, cwd=ROOT, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE)

    def measure(self, server: Server, order: dict[str, Any], *, one_core: bool) -> Figures:
        share_core([self.process.pid, server.process.pid], one_core)
        print(json.dumps(order), file=self.process.stdin, flush=True)
        assert self.answer()["warm"]
        connections = server.connections()
        found = self.answer()
        return Figures(found["done"] / found["seconds"], found["cpu"] / found["done"] * 1e6, connections)

    def answer(self) -> dict[str, Any]:
        line = self.process.stdout.readline()
        assert line, f"{self.peer} ended; its error is above"
        return dict(json.loads(line))

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait(10)


def share_core(processes: list[int], shared: bool) -> None:
    """Bind all threads of processes to one core, or to none."""
    cores = os.sched_getaffinity(0)
    for pid in processes:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            os.sched_setaffinity(int(thread.name), {max(cores)} if shared else cores)


@contextmanager
def workers() -> Iterator[dict[str, Worker]]:
    load = ["-m", "benchmarks.peers.load"]
    commands = {
        "redyard": [sys.executable, *load, "redyard"],
        "redispy": [sys.executable, *load, "redispy"],
        "coredis": [*environments.python(), *load, "coredis"],
        "glide": [*environments.python(), *load, "glide"],
        "ceiling": [sys.executable, *load, "ceiling"],
    }
    os.environ["COREDIS_OPTIMIZED"] = "true"
    if program := environments.node():
        commands["ioredis"] = [*program, str(ROOT / "benchmarks/peers/ioredis.cjs")]
    with ExitStack() as stack:
        made = {}
        for peer, command in commands.items():
            made[peer] = Worker(peer, command)
            stack.callback(made[peer].close)
        yield made
