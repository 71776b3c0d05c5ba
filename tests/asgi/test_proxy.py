"""Whose request it is, behind proxies."""

import pytest

from redyard.asgi.proxy import Proxies, customer, parse
from redyard.errors import InvalidValue


def request(peer: str | None, *forwarded: str) -> dict[str, object]:
    """A request from a peer with these X-Forwarded-For lines."""
    headers = [(b"host", b"app.test"), *((b"x-forwarded-for", line.encode()) for line in forwarded)]
    return {"type": "http", "client": (peer, 1) if peer else None, "headers": headers}


@pytest.mark.parametrize(
    ("trusted", "peer", "forwarded", "expected"),
    [
        (0, "203.0.113.5", ["198.51.100.1"], "203.0.113.5"),
        (0, None, ["198.51.100.1"], "unknown"),
        (1, "10.0.0.1", ["203.0.113.5"], "203.0.113.5"),
        (1, "10.0.0.1", ["198.51.100.1, 203.0.113.5"], "203.0.113.5"),
        (1, "10.0.0.1", ["198.51.100.1", "203.0.113.5"], "203.0.113.5"),
        (2, "10.0.0.1", ["198.51.100.1, 203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        (2, "203.0.113.5", ["198.51.100.1"], "203.0.113.5"),
        (1, "203.0.113.5", [], "203.0.113.5"),
        (1, None, ["203.0.113.5"], "203.0.113.5"),
        (1, "10.0.0.1", ["198.51.100.1, nonsense"], "10.0.0.1"),
        (2, "10.0.0.1", ["198.51.100.1, nonsense, 10.0.0.2"], "10.0.0.2"),
        (1, "10.0.0.1", ["203.0.113.5:4711"], "203.0.113.5"),
        (1, "10.0.0.1", ["[2001:db8::1]:4711"], "2001:db8::1"),
        (["10.0.0.0/8"], "10.0.0.1", ["198.51.100.1, 203.0.113.5, 10.0.0.2"], "203.0.113.5"),
        (["10.0.0.0/8", "::1/128"], "::1", ["203.0.113.5,10.9.9.9"], "203.0.113.5"),
        (["10.0.0.0/8"], "203.0.113.5", ["198.51.100.1"], "203.0.113.5"),
        (["10.0.0.0/8"], "10.0.0.1", ["198.51.100.1, , 10.0.0.2"], "10.0.0.2"),
        (["10.0.0.0/8"], "10.0.0.1", ["10.0.0.3"], "10.0.0.3"),
        (["10.0.0.0/8"], "testclient", ["198.51.100.1"], "testclient"),
        ((), "203.0.113.5", ["198.51.100.1"], "203.0.113.5"),
    ],
)
def test_the_trusted_end_of_the_list_is_its_right_one(trusted, peer, forwarded, expected):
    """What the client wrote itself stands left of it and changes nothing."""
    assert expected == Proxies(trusted).address(request(peer, *forwarded))


@pytest.mark.parametrize("trusted", [1, 2, ["10.0.0.0/8"]])
def test_whatever_a_client_writes_it_stays_the_same(trusted):
    """The proxies append; forged elements, empty ones and floods of them alike."""
    hops = "203.0.113.5" if trusted != 2 else "203.0.113.5, 10.0.0.2"
    forged = ["", "198.51.100.1", "10.0.0.9, 10.0.0.8", ",,,", "[::1", "x" * 5000, "1.1.1.1," * 900]

    assert {"203.0.113.5"} == {
        Proxies(trusted).address(request("10.0.0.1", f"{line}, {hops}" if line else hops)) for line in forged
    }


@pytest.mark.parametrize(
    ("address", "expected"),
    [
        ("203.0.113.5", "203.0.113.5"),
        ("::ffff:203.0.113.5", "203.0.113.5"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::"),
        ("2001:0DB8:0001:0002::", "2001:db8:1:2::"),
        ("fe80::1%eth0", "fe80::"),
        ("testclient", "testclient"),
    ],
)
def test_a_limit_counts_customers(address, expected):
    """An IPv6 customer has a whole network of addresses, and counts once."""
    assert expected == customer(address) == Proxies().client(request(address))


@pytest.mark.parametrize("text", ["", "unknown", "_hidden", "1.2.3", "1.2.3.4.5", "::g", "[", "]"])
def test_what_is_no_address_is_none(text):
    """Proxies may write such things."""
    assert "" == parse(text)


@pytest.mark.parametrize("trusted", [-1, ["10.0.0.1/8"], ["proxy"], [""]])
def test_what_cannot_be_trusted_is_refused_at_once(trusted):
    """Where the app is made."""
    with pytest.raises(InvalidValue, match="prox"):
        Proxies(trusted)
