"""The plugin in somebody else's project: whole runs of pytest, in processes of their own."""

from pathlib import Path

import psutil
import pytest

from tests.docs.markdown import ROOT

PLUGINS = ("-p", "no:valkey", "-p", "no:asyncio", "-p", "no:cacheprovider", "-W", "error")

APP = """
import pytest
from redis import Redis
from redis.exceptions import ConnectionError, OutOfMemoryError, TimeoutError


@pytest.fixture
def redis(redis_server):
    with Redis.from_url(redis_server.url, retry=None, socket_timeout=0.2) as client:
        assert client.dbsize() == 0
        yield client


@pytest.mark.parametrize("number", range(3))
def test_clean(redis, number):
    redis.set("a", number, nx=True)
    assert redis.get("a") == str(number).encode()


def test_paused(redis, redis_server):
    with redis_server.paused(), pytest.raises(TimeoutError):
        redis.ping()
    assert redis.ping()
    redis_server.pause()


def test_killed(redis, redis_server):
    redis.set("kept", 1)
    redis_server.kill()
    with pytest.raises(ConnectionError):
        redis.ping()
    redis_server.start()
    assert redis.get("kept") == b"1"
    redis_server.kill()


def test_full(redis, redis_server):
    redis_server.fill()
    with pytest.raises(OutOfMemoryError):
        redis.set("more", 1)


def test_environ(redis_environ, redis_cache_server):
    import os

    assert os.environ["REDIS_CACHE_URL"] == redis_cache_server.url != os.environ["REDIS_URL"]
    assert "allkeys-lru" in redis_cache_server.admin("INFO", "memory").values()


def test_pid(redis_server):
    with open(PIDS, "a") as file:
        file.write(f"{redis_server.process.pid}\\n")
"""


@pytest.fixture
def pids(pytester: pytest.Pytester) -> Path:
    """A project with tests on the plugin, and the file where they note their engines."""
    pids = pytester.path / "pids"
    pytester.makepyfile(APP.replace("PIDS", repr(str(pids))))
    return pids


def engines_left(pids: Path) -> list[int]:
    """Return the engines that still run."""
    return [pid for pid in map(int, pids.read_text().split()) if psutil.pid_exists(pid)]


def test_each_test_has_a_clean_engine_and_each_worker_its_own(
    pytester: pytest.Pytester, pids: Path, monkeypatch: pytest.MonkeyPatch
):
    """In any order: what a test before has paused, killed or filled is as new; in the end the engines are gone."""
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    plugins = [word for name in ("redyard.testing", "xdist", "pytest_randomly") for word in ("-p", name)]
    done = pytester.runpytest_subprocess("-W", "error", *plugins, "-n", "2", "--dist", "each")

    done.assert_outcomes(passed=16)
    assert 2 == len(set(pids.read_text().split()))
    assert [] == engines_left(pids)


def test_a_run_without_it_does_not_load_it(pytester: pytest.Pytester):
    """Whoever has Redyard installed pays for the plugin only when a test asks for an engine."""
    pytester.makepyfile("""
        import sys

        def test_nothing():
            assert {"redis", "psutil", "redyard.engine"} & set(sys.modules) == set()
    """)
    done = pytester.runpytest_subprocess(*PLUGINS, "-p", "no:xdist", "-p", "no:pytester")

    done.assert_outcomes(passed=1)


def test_the_example_passes(pytester: pytest.Pytester):
    """It is a test file that can be copied."""
    pytester.makepyfile((ROOT / "examples" / "app_tests.py").read_text())
    done = pytester.runpytest_subprocess(*PLUGINS)

    done.assert_outcomes(passed=3)
