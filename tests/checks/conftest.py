"""Servers that are wrong on purpose, ended after the test."""

from collections.abc import Callable, Iterator

import pytest

from redyard.engine.find import Engine
from tests.support.odd import Odd


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
