"""Addresses: found, checked, and shown without their password."""

from traceback import format_exception, format_exception_only

import pytest
from hypothesis import given, strategies as st

from redyard import Redis
from redyard.client.url import check_url, find_url, redact, trusting
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
        ("redis://::1:6379/0", "brackets"),
        ("redis://u:p@fe80::1/0", "brackets"),
        ("redis://h:-1", "no number"),
        ("redis://h:1/\u0663", "database"),
        ("redis://h/99999999999", "database"),
        ("redis://h\x00:1", "control character"),
        ("redis://h\n:1", "control character"),
        ("redis://h:1/0\x1b[31m", "control character"),
        ("redis://my host:1", "space"),
        ("redis://:p#w@h:1", "%23"),
        ("redis://h?port=70000", "port is no option"),
        ("redis://h?host=other", "host is no option"),
        ("rediss//h", "scheme"),
        ("//h", "scheme"),
        ("REDISS:h", "no host"),
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


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("rediss://u:p%40@h:1/2", "rediss://u:p%40@h:1/2?ssl_ca_certs=/certs/my%20ca.crt"),
        ("rediss://h?db=1", "rediss://h?db=1&ssl_ca_certs=/certs/my%20ca.crt"),
        ("rediss://h?ssl_ca_certs=other", "rediss://h?ssl_ca_certs=other"),
        ("redis://h", "redis://h"),
        ("unix:///s?db=1", "unix:///s?db=1"),
    ],
)
def test_an_authority_is_put_into_an_encrypted_address(url, expected):
    """It stays where it is named already; what is not encrypted needs none."""
    assert expected == trusting(url, "/certs/my ca.crt")


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("redis://h?colour=red", "option colour is unknown"),
        ("redis://h?ssl_cert_reqs=none", "option ssl_cert_reqs is unknown"),
        ("redis://h?protocol=9", "protocol"),
        ("redis://h?db=one", "'db'"),
        ("redis://h?health_check_interval=often", "health_check_interval"),
        ("redis://h?max_connections=some", "max_connections"),
        ("redis://h?socket_timeout=-1", "socket_timeout must be more than 0"),
        ("redis://h?encoding=klingon", "klingon"),
        ("unix:///s?db=one", "'db'"),
    ],
)
def test_a_bad_option_is_refused_with_its_reason(url, reason):
    """When the client is made, not at its first command."""
    with pytest.raises(InvalidURL, match=reason):
        Redis.from_url(url)


@pytest.mark.parametrize("url", [None, 6379, b"redis://h"])
def test_what_is_no_text_is_refused(url):
    """It may hold a password, so only its type is shown."""
    with pytest.raises(InvalidURL, match="no text"):
        Redis.from_url(url)


@pytest.mark.parametrize("role", ["store", "cache"])
def test_a_bad_address_of_the_environment_is_refused(role):
    """The error hides the password, and says how an address is written."""
    with pytest.raises(InvalidURL) as error:
        Redis.from_env(role, {"REDIS_URL": "redis://default:hunter2@h:port/0"})

    assert "hunter2" not in str(error.value)
    assert "redis://default:***@h:port/0" in str(error.value)
    assert "redis://USER:PASSWORD@HOST:PORT/DB" in error.value.hint


@given(st.text(min_size=8).map(lambda text: f"s3cret-{text}-s3cret"))
def test_no_password_shows(password):
    """Whatever a password contains, the error's text does not contain it."""
    with pytest.raises(InvalidURL) as error:
        check_url(f"rediz://u:{password}@h:1")

    assert "s3cret" not in str(error.value)


def test_a_wrong_address_that_nobody_catches_says_what_to_do():
    """Its traceback has the hint below the message, and no password."""
    with pytest.raises(InvalidURL) as caught:
        Redis.from_url("http://:a-password@host:1")
    shown = "".join(format_exception(caught.value))

    assert caught.value.remedy in shown
    assert "a-password" not in "".join(format_exception_only(caught.value))
