"""The table of routes tells the truth: real engines are asked for each of their commands."""

from typing import Any

import pytest
import redis

from redyard.client.blocking import FIRST, LAST, OPTION, patience
from redyard.client.routes import READS, REFUSED, Way, full_name, route, split

STATELESS = {
    "PING": "answers and does nothing",
    "ECHO": "answers and does nothing",
    "TIME": "reads the clock",
    "INFO": "reads figures",
    "LASTSAVE": "reads a figure",
    "ROLE": "reads the server's role",
    "ACL": "the parts listed read users and categories",
    "CLIENT": "the parts listed read the list of clients",
    "CLUSTER": "the parts listed read the cluster's map",
    "COMMAND": "the parts listed read the table of commands",
    "CONFIG": "GET reads settings",
    "FUNCTION": "the parts listed read libraries",
    "LATENCY": "the parts listed read figures",
    "MEMORY": "the parts listed read figures",
    "PUBSUB": "the parts listed read figures",
    "SCRIPT": "EXISTS looks scripts up",
    "SLOWLOG": "GET and LEN read the log",
}
"""Commands without the flag `readonly` that change nothing, and why."""

PER_CONNECTION = {
    *(
        "AUTH",
        "HELLO",
        "RESET",
        "QUIT",
        "SELECT",
        "MULTI",
        "EXEC",
        "DISCARD",
        "WATCH",
        "UNWATCH",
        "MONITOR",
        "SYNC",
        "PSYNC",
    ),
    *("ASKING", "READONLY", "READWRITE", "CLIENT|REPLY", "CLIENT|TRACKING", "CLIENT|CACHING", "CLIENT|IMPORT-SOURCE"),
    *("CLIENT|NO-EVICT", "CLIENT|NO-TOUCH"),
}
"""Commands that change what the connection does for later ones, by the engines' manuals: no flag tells it."""


@pytest.fixture
def commands(shared_server) -> dict[str, Any]:
    """All commands of an engine with their flags, parts as "CONFIG GET"."""
    with redis.Redis.from_url(shared_server.admin_url, protocol=2) as admin:
        admin.response_callbacks.clear()
        table = {}
        for row in admin.execute_command("COMMAND"):
            table[row[0].decode().upper()] = {flag.decode() for flag in row[2]}
            for part in row[9]:
                table[part[0].decode().upper().replace("|", " ")] = {flag.decode() for flag in part[2]}
        return table


def test_what_may_be_sent_twice_reads_only(commands):
    """A name in READS has the engine's flag `readonly`, or is known to keep and change nothing."""
    wrong = {
        name
        for name in READS & commands.keys()
        if "readonly" not in commands[name] and name.partition(" ")[0] not in STATELESS
    }

    assert set() == wrong
    assert len(READS & commands.keys()) > 100


def test_no_write_is_sent_twice(commands):
    """No command with the flag `write` is in READS, not even one whose name a read shares."""
    assert set() == {name for name, flags in commands.items() if "write" in flags and name in READS}


def test_every_read_of_the_engine_is_known(commands):
    """A command with the flag `readonly` that is not in READS would fail for nothing when its answer is lost."""
    reads = {name for name, flags in commands.items() if "readonly" in flags and "blocking" not in flags}
    containers = {"OBJECT", "MEMORY"}  # their parts are in the table

    assert set() == reads - READS - containers - {"XREAD", "XREADGROUP"}


def test_every_blocking_command_is_known(commands):
    """What can block is bounded by its own time, on a connection of its own."""
    blocking = {name for name, flags in commands.items() if "blocking" in flags}

    assert set() == blocking - LAST.keys() - FIRST.keys() - OPTION


@pytest.mark.parametrize("name", [*LAST, *FIRST])
def test_a_blocking_command_takes_its_own_connection(name):
    """Its timeout is found where the command has it."""
    words = (name, "1", "1")

    assert patience(words) is not None
    assert Way.BLOCKING is route(words, blocks=patience(words) is not None).way


def test_every_command_of_subscriptions_and_transactions_is_refused(commands):
    """A subscription would swallow the answers of others, and a transaction their commands."""
    subscribing = {name for name, flags in commands.items() if "pubsub" in flags and name.endswith("SUBSCRIBE")}

    assert set() == subscribing - REFUSED.keys()
    assert len(subscribing) == 6


def test_every_command_with_a_state_is_refused(commands):
    """What stays on a connection would be there for all callers."""
    known = {name.replace("|", " ") for name in PER_CONNECTION}

    assert set() == (known & commands.keys()) - REFUSED.keys()


def test_a_refusal_says_what_to_do():
    """Each has a reason that names another way, or why there is none."""
    assert all(len(reason) > 20 for reason in REFUSED.values())
    assert not READS & REFUSED.keys()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (("GET", "a"), "GET"),
        (("get", "CONFIG"), "GET"),
        (("config get", "a"), "CONFIG GET"),
        ((b"config", b"get", "a"), "CONFIG GET"),
        ((b"CONFIG GET", "a"), "CONFIG GET"),
        (("CONFIG",), "CONFIG"),
        ((" CLIENT  REPLY ", "OFF"), "CLIENT REPLY"),
        (("CLIENT", 7), "CLIENT 7"),
    ],
)
def test_a_name_is_found_in_every_form(words, expected):
    """Text or bytes, one word or two, small or capital."""
    assert expected == full_name(words)


def test_words_that_need_no_splitting_stay_as_they_are():
    """The usual command costs no copy."""
    words = ("GET", "a b")

    assert split(words) is words
