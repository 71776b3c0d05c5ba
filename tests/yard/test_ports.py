"""Ports come from the range, from a place of the yard's own, and are free."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from redyard.errors import InvalidSetting, NoPortFree
from redyard.yard.addresses import is_free
from redyard.yard.ports import Ports
from tests.support.servers import free_port


@pytest.fixture
def busy() -> Iterator[int]:
    """A port on which somebody listens."""
    with socket.create_server(("127.0.0.1", free_port())) as listener:
        yield listener.getsockname()[1]


def test_range_is_read():
    """A range has two ends, both included."""
    assert Ports(17000, 17999) == Ports.parse("17000-17999")


@pytest.mark.parametrize("text", ["17999-17000", "1023-2000", "0000-9999", "60000-65536"])
def test_bad_range_is_refused(text):
    """A range that is upside down, privileged or too high is refused with the variable's name."""
    with pytest.raises(InvalidSetting, match=f"REDYARD_PORTS='{text}'"):
        Ports.parse(text)


def test_choice_is_stable():
    """A yard finds the same port again, so that two yards rarely meet."""
    first = free_port()
    ports = Ports(first, first)

    assert [first] * 2 == [ports.choose(Path("/app/.redyard"), ()) for _ in range(2)]


def test_yards_begin_at_different_places():
    """Yards in different directories begin their search at different ports."""
    chosen = {Ports(20000, 29999).choose(Path(f"/app{number}"), ()) for number in range(10)}

    assert len(chosen) > 7


def test_taken_port_is_passed_over():
    """A port that an instance has, running or not, is given to no other; the search goes around."""
    first, second = free_port(), free_port()
    ports = Ports(min(first, second), max(first, second))
    taken = set(range(ports.first, ports.last))

    assert {ports.last} == {ports.choose(Path(f"/app{number}"), taken) for number in range(5)}


def test_busy_port_is_passed_over(busy):
    """A port on which a stranger listens is not chosen."""
    with pytest.raises(NoPortFree, match=f"no port of {busy}-{busy} is free"):
        Ports(busy, busy).choose(Path("/app"), ())


def test_busy_port_is_not_free(busy):
    """A port is free unless somebody listens there."""
    assert (False, True) == (is_free(busy), is_free(free_port()))


def test_listener_on_all_addresses_is_seen():
    """A stranger who listens on all addresses has the port too."""
    port = free_port()
    with socket.create_server(("0.0.0.0", port)):
        free = is_free(port)

    assert not free


def test_port_is_free_after_its_connections():
    """A port whose last connections are still being forgotten by the system can be used at once."""
    port = free_port()
    with socket.create_server(("127.0.0.1", port)) as listener:
        client = socket.create_connection(("127.0.0.1", port))
        server, _ = listener.accept()
        server.close()  # who closes first keeps the port in TIME_WAIT
        client.close()

    assert is_free(port)
