"""One file a capability: each example runs as a process on a real engine and prints what its page says."""

import os
import subprocess
import sys

import pytest
from examples.agent_tasks.run import ROOT

EXPECTED = {
    "cache": """
        answers: 10 queries: 1
        product: {'id': 42, 'name': 'lamp'}
        queries after a change: 2
        queries after a tag's invalidation: 3
        hits that asked no server: True
        a rate although the bank is closed: 1.08
        None is a value: True
        then there is: nothing
    """,
    "health": """
        200 /health/live healthy
        200 /health/ready healthy
        200 /health/redis healthy
        200 /health/complete {'redis': 'healthy', 'database': 'healthy'}
        503 /mail/health/complete {'redis': 'healthy', 'mail': 'unhealthy'}
        fields: latency_ms, reason, status and for Redis: connected, latency_ms, status, used_memory
    """,
    "job_queue": """
        result: {'picture': 'sharp.png', 'width': 640} log: ['attempt 1']
        result: {'picture': 'blurred.png', 'width': 640} log: ['attempt 1', 'attempt 2']
        in a process: 3
        progress: 100 then: 2 pictures
        added twice, there once: True
        counts: {'delayed': 2, 'completed': 4}
    """,
    "rate_limit": """
        sign-in 1: allowed
        sign-in 2: allowed
        sign-in 3: refused by example-account
        hits of the address that remain: 3
        third export: has to wait
        fourth export: runs
    """,
    "sessions": """
        /            who are you?; devices: 0
        /in?name=Ada welcome (sets a cookie)
        /in?name=Ada welcome (sets a cookie)
        /            hello Ada; devices: 2
        /others      signed out: 1
        /            who are you?; devices: 0
        /            hello Ada; devices: 1
    """,
}


def run(name: str, url: str) -> subprocess.CompletedProcess[str]:
    """Run an example as `redyard run -- python examples/NAME.py` does; a warning is an error."""
    return subprocess.run(
        [sys.executable, "-W", "error", f"examples/{name}.py"],
        cwd=ROOT,
        env={**os.environ, "REDIS_URL": url, "REDIS_CACHE_URL": url},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def lines(text: str) -> list[str]:
    return [line.strip() for line in text.strip().splitlines()]


OTHERS = {"__init__", "app_tests"}
"""`app_tests` is a file of tests: tests/testing runs it."""


@pytest.mark.parametrize("name", EXPECTED)
def test_an_example_prints_what_it_shows(server, name):
    """It runs on a store, ends by itself, and says what it is there to show."""
    done = run(name, server.url)

    assert (lines(EXPECTED[name]), "") == (lines(done.stdout), done.stderr)
    assert 0 == done.returncode


def test_every_example_is_run():
    """No example is left to rot, and each fits a screen."""
    files = {path.stem: path for path in ROOT.joinpath("examples").glob("*.py") if path.stem not in OTHERS}

    assert set(EXPECTED) == set(files)
    assert [] == [name for name, path in files.items() if len(path.read_text().splitlines()) >= 60]
