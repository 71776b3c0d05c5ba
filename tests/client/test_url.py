"""Addresses: found, checked, and shown without their password."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from redyard.client.url import check_url, find_url, redact
from redyard.errors import InvalidSetting, InvalidURL, NoURL

STORE, CACHE = "redis://:a-password@store:1/0", "redis://:a-password@cache:2/0"


@pytest.mark.parametrize(
    ("environ", "role", "expected"),
    [
        ({"REDIS_URL": STORE, "REDISHOST": "other"}, "store", STORE),
        ({"REDIS_URL": STORE, "REDIS_CACHE_URL": CACHE}, "store", STORE),
        ({"REDIS_URL": STORE, "REDIS_CACHE_URL": CACHE}, "cache", CACHE),
        ({"REDIS_URL": STORE}, "cache", STORE),
        ({"REDISHOST": "h"}, "store", "redis://h:6379/0"),
        (
            {"REDISHOST": "h", "REDISPORT": "7", "REDISUSER": "u@", "REDISPASSWORD": "p/:"},
            "store",
            "redis://u%40:p%2F%3A@h:7/0",
        ),
        ({"REDISHOST": "::1", "REDISPASSWORD": "p"}, "store", "redis://default:p@[::1]:6379/0"),
    ],
)
def test_the_environment_names_the_address(environ, role, expected):
    """REDIS_URL counts, else its parts; the cache has an address of its own where one is given."""
    assert expected == find_url(environ, role=role)


def test_an_environment_without_redis_is_an_error():
    """Nothing is guessed: no localhost by accident in production."""
    with pytest.raises(NoURL):
        find_url({"REDIS_URL": ""})


def test_a_port_of_the_environment_is_checked():
    """A port that cannot be one names its variable."""
    with pytest.raises(InvalidSetting, match="REDISPORT"):
        find_url({"REDISHOST": "h", "REDISPORT": "70000"})


@pytest.mark.parametrize(
    "url",
    [
        "redis://h",
        "redis://u:p@h:1/15",
        "rediss://h:6380/0?ssl_cert_reqs=none",
        "unix:///tmp/s?db=1",
        " redis://h:1/ \n",
        "redis://[::1]:6379/0",
    ],
)
def test_a_good_address_passes(url):
    """What redis-py reads rightly passes, without the space around it."""
    assert url.strip() == check_url(url)


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("", "empty"),
        ("  ", "empty"),
        ("${{Redis.REDIS_URL}}", "not resolved"),
        ("redis://:p@${HOST}:6379", "not resolved"),
        ("http://h", "scheme"),
        ("h:6379", "scheme"),
        ("redis:///0", "no host"),
        ("redis://:p@:6379", "no host"),
        ("redis://h:port", "no number"),
        ("redis://h:65536", "1-65535"),
        ("redis://h:0", "1-65535"),
        ("redis://h/one", "database"),
        ("redis://h/0/1", "database"),
        ("redis://[::1", "malformed"),
        ("unix://", "no path"),
    ],
)
def test_a_bad_address_is_refused_with_its_reason(url, reason):
    """Each fault has its own sentence."""
    with pytest.raises(InvalidURL, match=reason):
        check_url(url)


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("redis://u:p@h:1", "redis://u:***@h:1"),
        ("redis://:p@ss/w:o@h", "redis://:***@h"),
        ("u:p@h", "u:***@h"),
        ("unix:///s?db=1&password=p&x=1", "unix:///s?db=1&password=***&x=1"),
        ("redis://h:1/0", "redis://h:1/0"),
    ],
)
def test_an_address_is_shown_without_its_password(url, expected):
    """Also one that is malformed."""
    assert expected == redact(url)


@given(st.text(min_size=8).map(lambda text: f"s3cret-{text}-s3cret"))
def test_no_password_shows(password):
    """Whatever a password contains, the error's text does not contain it."""
    with pytest.raises(InvalidURL) as error:
        check_url(f"rediz://u:{password}@h:1")

    assert "s3cret" not in str(error.value)
