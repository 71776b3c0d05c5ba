"""Every setting that an engine is given is the one it runs with, and each has its reasons."""

from collections.abc import Iterator

import pytest

from redyard.engine.directives import RESERVED_CONNECTIONS, ROLES, TABLE, Directive, Limits, lookup
from tests.support.servers import MB, Server

DEFAULT = Directive.__new__.__defaults__[0]
CONNECTIONS = 50


@pytest.fixture(params=ROLES)
def running(engine, request) -> Iterator[tuple[str, dict[str, str]]]:
    """A role and the settings of an engine that runs in it, as it says itself."""
    server = Server(engine, role=request.param, memory=256 * MB, connections=CONNECTIONS)
    yield request.param, server.admin("CONFIG", "GET", *[row.name for row in TABLE])
    server.close()


def test_engine_runs_with_the_table(running):
    """The running engine says of each row what the table says."""
    role, settings = running
    said = {_text(name): _text(value) for name, value in settings.items()}
    said["oom-score-adj"] = said["oom-score-adj"].replace("yes", "relative")  # the engine's other word for it

    assert {row.name: row.value(role, Limits(256 * MB, CONNECTIONS, 16)) for row in TABLE} == said


def _text(value: bytes | str) -> str:
    return value.decode() if isinstance(value, bytes) else value


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_row_has_a_reason(row):
    """Each row says why, in a sentence."""
    assert row.why.endswith(".")


@pytest.mark.parametrize("row", TABLE, ids=lambda row: row.name)
def test_row_that_differs_from_the_guide_says_what_that_would_lose(row):
    """Where the guide has another value than a store, the loss is named."""
    differs = row.guide not in {DEFAULT, row.value("store", Limits(256 * MB, 100, 16))}

    assert differs == (row.loss != "-")


def test_names_are_unique():
    """No setting has two rows."""
    assert len(TABLE) == len({row.name for row in TABLE})


def test_row_is_looked_up_by_name():
    """A row is found by its name."""
    assert [row.name for row in TABLE] == [lookup(row.name).name for row in TABLE]


@pytest.mark.parametrize("role", ROLES)
def test_owner_has_connections_of_its_own(role):
    """An engine takes the plan's connections and 8 more."""
    assert (8, "108") == (RESERVED_CONNECTIONS, lookup("maxclients").value(role, Limits(MB, 100, 16)))


@pytest.mark.parametrize(("memory", "buffers"), [(64, 16), (160, 16), (1000, 100)])
def test_buffers_get_a_tenth(memory, buffers):
    """The buffers of all clients get a tenth of the memory, at least 16 MiB."""
    assert str(buffers * MB) == lookup("maxmemory-clients").value("store", Limits(memory * MB, 100, 16))


def test_roles_differ_in_what_they_forget():
    """A store evicts nothing and logs; a cache evicts and logs nothing."""
    limits = Limits(MB, 100, 16)
    rows = [lookup("maxmemory-policy"), lookup("appendonly")]

    assert ["noeviction", "yes"] == [row.value("store", limits) for row in rows]
    assert ["allkeys-lru", "no"] == [row.value("cache", limits) for row in rows]
