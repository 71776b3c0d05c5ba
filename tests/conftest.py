"""Fixtures of every test: real engines, and a closing line that says what this machine could not test."""

import gc
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from redyard.engine.find import Engine, examine, find
from tests.support.commands import nursery
from tests.support.odd import Odd
from tests.support.secured import ByEdge, ByEngine, Secured
from tests.support.servers import Server
from tests.support.yards import Sandbox

REDIS7 = shutil.which("redis-server")
NODE = shutil.which("node")
MISSING = {
    "needs_redis7": (REDIS7, "redis-server (Redis 7, TLS): apt-get install redis-server"),
    "needs_node": (NODE, "Node.js: apt-get install nodejs npm"),
}
ENGINES = ["valkey", pytest.param("redis7", marks=pytest.mark.needs_redis7)]


def pytest_configure() -> None:
    missing = [how for program, how in MISSING.values() if program is None]
    if missing and os.environ.get("CI"):
        raise pytest.UsageError(f"CI skips nothing, and the tests need {', '.join(missing)}")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for mark, (program, how) in MISSING.items():
        for item in items:
            if program is None and item.get_closest_marker(mark):
                item.add_marker(pytest.mark.skip(reason=f"needs {how}"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reasons = [report.longrepr[2] for report in terminalreporter.stats.get("skipped", [])]  # also those of workers
    missing = {how: sum(f"needs {how}" in reason for reason in reasons) for _, how in MISSING.values()}
    if any(missing.values()):
        counts = "; ".join(f"{count} tests that need {how}" for how, count in missing.items() if count)
        terminalreporter.write_line(f"Skipped here: {counts}")


@pytest.fixture(scope="session", autouse=True)
def _nursery() -> Iterator[None]:
    """The process from which commands are forked, where there was any, ends with the tests."""
    yield
    if nursery.cache_info().currsize:
        nursery().close()


@pytest.fixture(scope="session", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> Engine:
    """Each engine of this machine in turn."""
    return find() if request.param == "valkey" else examine(REDIS7)


@pytest.fixture(scope="session")
def shared_server(engine: Engine) -> Iterator[Server]:
    """One store for all tests of a session; use `server`, which empties it."""
    server = Server(engine)
    yield server
    server.close()


@pytest.fixture
def server(shared_server: Server) -> Server:
    """An empty store."""
    shared_server.clean()
    return shared_server


@pytest.fixture
def own_server(engine: Engine) -> Iterator[Server]:
    """A store for this test alone, to be stopped, killed and filled."""
    server = Server(engine)
    yield server
    server.close()


@pytest.fixture
def odd(engine: Engine) -> Iterator[Callable[..., Odd]]:
    """Start servers with settings of the test's own."""
    made: list[Odd] = []

    def start(*words: object, **options: object) -> Odd:
        made.append(Odd(engine, *words, **options))
        return made[-1]

    yield start
    for server in reversed(made):
        server.close()


@pytest.fixture
def collected() -> Iterator[None]:
    """What an event loop left behind is collected within the test, where warnings of it are expected."""
    yield
    gc.collect()


@pytest.fixture(scope="module")
def shared_secured(engine: Engine) -> Iterator[Secured]:
    """One store with TLS for a module, by an edge and by an engine in turn; use `secured`."""
    with tempfile.TemporaryDirectory(prefix="redyard-test-", dir="/tmp") as directory:
        made = (ByEngine if engine.tls else ByEdge)(Path(directory), engine)
        try:
            made.present()
            yield made
        finally:
            made.close()


@pytest.fixture
def secured(shared_secured: Secured) -> Secured:
    """A store with TLS and a good certificate."""
    shared_secured.server.clean()
    shared_secured.present()
    return shared_secured


@pytest.fixture
def yard() -> Iterator[Sandbox]:
    """A directory where no yard runs yet."""
    sandbox = Sandbox()
    yield sandbox
    sandbox.close()


@pytest.fixture
def each_yard(engine: Engine) -> Iterator[Sandbox]:
    """A directory where no yard runs yet, for each engine in turn."""
    sandbox = Sandbox(engine.path)
    yield sandbox
    sandbox.close()


@pytest.fixture(scope="session")
def shared_yard() -> Iterator[Sandbox]:
    """A running yard with the add-on "redis", for tests that only look."""
    sandbox = Sandbox()
    sandbox.json("add", "redis")
    yield sandbox
    sandbox.close()
