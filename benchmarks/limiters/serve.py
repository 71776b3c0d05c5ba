"""Serve an app as a process of its own, and ask wrk how many requests a second it answers."""

import os
import re
import subprocess
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from tests.support.servers import free_port
from tests.support.wait import wait_until

from benchmarks.peers.process import ROOT


class Answered(NamedTuple):
    """Requests per second, the 99th percentile in milliseconds, and whether all were refused (or none)."""

    rate: float
    p99: float
    refused: bool


@contextmanager
def serving(command: list[str], redis_url: str) -> Iterator[str]:
    """Serve an app until the block ends, and return its address."""
    port = free_port()
    environ = {**os.environ, "REDIS_URL": redis_url, "PYTHONPATH": f"{ROOT / 'src'}:{ROOT}"}
    process = subprocess.Popen([*command, str(port)], cwd=ROOT, env=environ)
    address = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        assert process.poll() is None, f"{command} ended; its error is above"
        return status(f"{address}/free") == 200

    try:
        wait_until(answers, 30)
        yield address
    finally:
        process.terminate()
        process.wait(10)


def status(url: str) -> int:
    try:
        with urllib.request.urlopen(url, timeout=5) as response:
            return int(response.status)
    except urllib.error.HTTPError as error:
        return int(error.code)
    except OSError:
        return 0


def wrk(url: str, seconds: float) -> Answered:
    """Let 32 connections ask, a second for warming first."""
    for duration in (1, max(1, round(seconds))):
        command = ["wrk", "--threads", "1", "--connections", "32", "--duration", f"{duration}s", "--latency", url]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    total = int(re.search(r"(\d+) requests in", said)[1])
    bad = int(found[1]) if (found := re.search(r"Non-2xx or 3xx responses: (\d+)", said)) else 0
    assert bad in {0, total}, f"{url}: {bad} of {total} were refused"
    value, unit = re.search(r"99%\s+([\d.]+)(us|ms|s)", said).groups()
    scale = {"us": 0.001, "ms": 1, "s": 1000}[unit]
    return Answered(float(re.search(r"Requests/sec:\s+([\d.]+)", said)[1]), float(value) * scale, bool(bad))
