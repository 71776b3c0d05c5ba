"""Whom a request came from, behind proxies."""

import pytest

from redyard.asgi.hops import address_of, scheme_of

FORWARDED = {"x-forwarded-for": "1.1.1.1, 2.2.2.2,3.3.3.3", "x-forwarded-proto": "http, https"}


def scope(**headers):
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    return {"headers": pairs, "client": ("9.9.9.9", 1), "scheme": "http"}


@pytest.mark.parametrize(
    ("hops", "address", "scheme"),
    [
        (0, "9.9.9.9", "http"),
        (1, "3.3.3.3", "https"),
        (2, "2.2.2.2", "http"),
        (3, "1.1.1.1", "http"),
        (9, "1.1.1.1", "http"),
    ],
)
def test_trusted_proxies_are_counted_from_the_right(hops, address, scheme):
    """What stands before their words is a stranger's."""
    assert (address, scheme) == (address_of(scope(**FORWARDED), hops), scheme_of(scope(**FORWARDED), hops))


def test_without_a_header_the_server_is_believed():
    """Also about a visitor without an address, as on a Unix socket."""
    assert ("9.9.9.9", "http") == (address_of(scope(), 1), scheme_of(scope(), 1))
    assert "" == address_of({**scope(), "client": None}, 1)
