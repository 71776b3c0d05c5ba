"""Engines listen on loopback and private addresses of this machine, and `vars` says which."""

import ipaddress

import psutil
import pytest
import redis

from redyard.errors import AddressUnusable
from redyard.yard import addresses
from tests.support.servers import free_port
from tests.support.yards import Sandbox

SECOND = "127.0.0.2"
"""A second address of this machine, as another container has one."""


def test_second_address_is_in_the_variables(yard: Sandbox) -> None:
    """An engine on another address answers there and nowhere else, and `vars` and `add` say where."""
    added = yard.run("add", "redis", "--bind", SECOND).stdout
    variables = yard.calls.variables()
    engine = psutil.Process(yard.instance("redis-store")["pid"])
    heard = [item.laddr.ip for item in engine.net_connections("inet") if item.status == psutil.CONN_LISTEN]

    assert ([SECOND], SECOND) == (heard, variables["REDISHOST"])
    assert f"@{SECOND}:" in variables["REDIS_CACHE_URL"]
    assert "this machine alone" in added
    with redis.Redis.from_url(variables["REDIS_URL"]) as app:
        assert app.ping()
    with (
        pytest.raises(redis.AuthenticationError),
        redis.Redis(host=SECOND, port=int(variables["REDISPORT"]), retry=None) as guest,
    ):
        guest.ping()


def test_address_outlives_a_restart(yard: Sandbox) -> None:
    """The address belongs to the instance: its engine comes back there."""
    yard.json("add", "redis", "--role", "cache", "--bind", SECOND)
    yard.calls.restart("redis")
    with redis.Redis.from_url(yard.calls.variables()["REDIS_CACHE_URL"]) as app:
        assert app.ping()


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("10.255.255.254", "no interface of this machine has it"),
        ("192.168.254.253", "no interface of this machine has it"),
        ("8.8.8.8", "is a public address"),
        ("2001:4860:4860::8888", "is a public address"),
        ("localhost", "it is no IP address"),
        ("127.0.0.1:6379", "it is no IP address"),
        ("", "it is no IP address"),
    ],
)
def test_address_that_cannot_be_is_refused(shared_yard: Sandbox, address: str, reason: str) -> None:
    """An address of another machine, of the Internet, or no address at all: the right error, and nothing made."""
    with pytest.raises(AddressUnusable, match=reason) as caught:
        shared_yard.calls.add("open", bind=address)

    assert 105 == caught.value.status
    assert ["redis-cache", "redis-store"] == sorted(path.name for path in shared_yard.home.instances.iterdir())


def own(monkeypatch: pytest.MonkeyPatch, *texts: str) -> None:
    monkeypatch.setattr(addresses, "_own", lambda: [ipaddress.ip_address(text) for text in texts])


def test_all_addresses_are_refused_where_one_is_public(monkeypatch: pytest.MonkeyPatch) -> None:
    """0.0.0.0 on a machine of the Internet would be open to all."""
    own(monkeypatch, "127.0.0.1", "10.0.0.5", "8.8.4.4")
    with pytest.raises(AddressUnusable, match=r"8\.8\.4\.4 is a public address"):
        addresses.check("0.0.0.0")


def test_all_addresses_are_taken_where_all_are_private(monkeypatch: pytest.MonkeyPatch) -> None:
    """In a container's network 0.0.0.0 is well, and others reach it by the container's own address."""
    own(monkeypatch, "127.0.0.1", "172.18.0.3", "fd12::3")

    assert ["0.0.0.0", "::"] == [addresses.check(text) for text in ("0.0.0.0", "::")]
    assert ["172.18.0.3", "fd12::3"] == [addresses.reachable(text) for text in ("0.0.0.0", "::")]
    assert "172.18.0.3; passwords and data travel unencrypted" in addresses.exposure("0.0.0.0")


def test_port_is_free_or_not_at_its_address() -> None:
    """The same port is another one on another address."""
    import socket

    with socket.create_server((SECOND, free_port())) as listener:
        port = listener.getsockname()[1]

        assert (True, False) == (addresses.is_free(port), addresses.is_free(port, SECOND))


def test_all_addresses_work(yard: Sandbox) -> None:
    """An engine on `::` answers by IPv4 and by IPv6."""
    yard.json("add", "redis", "--role", "cache", "--bind", "::")
    port, url = yard.instance("redis-cache")["port"], yard.calls.variables()["REDIS_CACHE_URL"]
    for host in ("127.0.0.1", "[::1]"):
        with redis.Redis.from_url(f"{url.rpartition('@')[0]}@{host}:{port}") as app:
            assert app.ping()
