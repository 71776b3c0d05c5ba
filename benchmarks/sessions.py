"""Sessions through a web app, against their peers: `wrk` with 32 connections, 64 visitors, one process of each app.

All Python apps run on the same uvicorn, Starlette and uvloop, in one environment; Express beside them on Node. They
take turns at each measurement, so that what else the machine does meets all of them; a ratio compares two measurements
of one round, and the median over the rounds counts. `--quick` takes a minute.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import urlopen

from tests.interop.express.node import express
from tests.support.servers import free_port
from tests.support.wait import wait_until

from benchmarks.client import verdict
from benchmarks.peers import environments
from benchmarks.peers.process import Server

ROOT = Path(__file__).parents[1]
LIST = ROOT / "benchmarks" / "peers" / "sessions" / "requirements.txt"
SECRET = "a-secret-of-the-benchmark-of-32-characters"
CONNECTIONS, VISITORS = 32, 64

NAMES = {
    "bare": "Starlette, no session",
    "redyard": "Redyard",
    "redyard_express": "Redyard, format of Express",
    "cookie": "Starlette's signed cookie",
    "starsessions": "starsessions",
    "alcazaba": "fastapi-alcazaba",
    "express": "Express + connect-redis",
}
BARS = {
    ("read", "bare"): 0.45,
    ("read", "starsessions"): 2.0,
    ("read", "alcazaba"): 2.0,
    ("write", "starsessions"): 2.0,
    ("write", "alcazaba"): 2.0,
    ("write", "express"): 1.8,
}
"""How many times a peer's requests per second ours must be."""

SLOWEST = 10.0
"""Milliseconds within which 99 of 100 reads are answered."""

LUA = """
local cookies, requests, turn = {{ {cookies} }}, {{}}, 0
function init()
  for i, cookie in ipairs(cookies) do requests[i] = wrk.format("GET", "/{path}", {{ Cookie = cookie }}) end
end
function request()
  turn = turn % #requests + 1
  return requests[turn]
end
"""


class Figures(NamedTuple):
    """Requests per second, milliseconds within which 99 of 100 are answered, microseconds of CPU of the app for one."""

    rate: float
    p99: float
    cpu: float


class App:
    """One app that runs, and the cookies of its visitors."""

    def __init__(self, address: str, directory: str, pid: int, *, sessions: bool) -> None:
        self.address = address
        self.pid = pid
        self.directory = directory
        wait_until(self.answers, timeout=30)
        self.cookies = [self.begin() for _ in range(VISITORS)] if sessions else ["none=1"]

    def answers(self) -> bool:
        try:
            with urlopen(self.address + "/nothing"):
                return True
        except URLError as error:
            return hasattr(error, "code")

    def begin(self) -> str:
        with urlopen(self.address + "/begin") as answer:
            return str(answer.headers["set-cookie"]).partition(";")[0]

    def measure(self, path: str, seconds: int) -> Figures:
        script = Path(self.directory) / "load.lua"
        script.write_text(LUA.format(path=path, cookies=", ".join(f'"{cookie}"' for cookie in self.cookies)))
        command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--latency", "-s", script, self.address]
        before = self.cpu()
        said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        assert "Non-2xx" not in said, said
        rate = re.search(r"Requests/sec:\s+([\d.]+)", said)
        number, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
        done = float(rate[1]) * seconds
        p99 = float(number) * {"us": 0.001, "ms": 1.0, "s": 1000.0}[unit]
        return Figures(float(rate[1]), p99, (self.cpu() - before) / done * 1e6)

    def cpu(self) -> float:
        """Return the seconds of CPU that the app has used."""
        words = Path(f"/proc/{self.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(words[11]) + int(words[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def apps(url: str, directory: str) -> Iterator[dict[str, App]]:
    python = environments.python(LIST, environments.ROOT / "sessions")
    with ExitStack() as stack:
        made = {}
        for name in NAMES:
            if name == "express":
                if shutil.which("node") is None:
                    continue
                address, pid = stack.enter_context(express(url, [SECRET]))
            else:
                port = free_port()
                command = [*python, "-m", "benchmarks.peers.sessions.app", name, url, str(port)]
                process = subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": "src"})
                stack.callback(process.wait)
                stack.callback(process.terminate)
                address, pid = f"http://127.0.0.1:{port}", process.pid
            made[name] = App(address, directory, pid, sessions=name != "bare")
        yield made


def measure(rounds: int, seconds: int) -> list[dict[tuple[str, str], Figures]]:
    """Run the rounds, each beginning with another app."""
    with tempfile.TemporaryDirectory(prefix="redyard-bench-", dir="/tmp") as directory, ExitStack() as stack:
        server = Server(directory)
        stack.callback(server.close)
        running = stack.enter_context(apps(server.urls["TCP"], directory))
        for app in running.values():
            app.measure("plain" if app is running["bare"] else "write", 1)
        found = []
        for turn in range(rounds):
            order = [*running][turn % len(running) :] + [*running][: turn % len(running)]
            found.append(
                {
                    (path, name): running[name].measure("plain" if name == "bare" else path, seconds)
                    for path in ("read", "write")
                    for name in order
                }
            )
        return found


def main() -> None:
    if shutil.which("wrk") is None:
        sys.exit("This needs wrk: apt-get install wrk")
    rounds, seconds = (3, 1) if "--quick" in sys.argv else (5, 3)
    found = measure(rounds, seconds)

    def median(path: str, name: str, figure: Callable[[Figures], float]) -> float:
        return statistics.median(figure(turn[path, name]) for turn in found)

    def against(path: str, name: str) -> str:
        if name == "redyard":
            return ""
        ratio = statistics.median(turn[path, "redyard"].rate / turn[path, name].rate for turn in found)
        bar = BARS.get((path, name))
        return f"{ratio:.2f}" + (f" ({verdict(ratio >= bar)} {bar:g})" if bar else "")

    print("| app | read/s | p99 ms | CPU us | ours to it | write/s | p99 ms | CPU us | ours to it |")
    print("|---|---|---|---|---|---|---|---|---|")
    for name in (name for name in NAMES if ("read", name) in found[0]):
        cells = []
        for path in ("read", "write"):
            rate, p99, cpu = (median(path, name, lambda one, place=place: one[place]) for place in (0, 1, 2))
            bar = f" ({verdict(p99 <= SLOWEST)} {SLOWEST:g})" if (path, name) == ("read", "redyard") else ""
            cells += [f"{rate:,.0f}", f"{p99:.1f}{bar}", f"{cpu:.0f}", against(path, name)]
        print(f"| {NAMES[name]} | {' | '.join(cells)} |")
    print()
