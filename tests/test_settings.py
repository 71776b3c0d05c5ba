"""Settings from the environment."""

import pytest

from redyard import settings
from redyard.errors import InvalidSetting
from redyard.settings import Settings

SECRET_NAMES = {"REDIS_URL", "REDIS_CACHE_URL", "REDIS_PRIVATE_URL", "REDISPASSWORD", "REDYARD_ALERTS"}


def test_an_empty_environment_gives_the_defaults():
    """So does one with empty variables, as platforms set them."""
    assert Settings() == Settings.read({}) == Settings.read({row.variable: "" for row in settings.table()})


def test_other_variables_do_no_harm():
    """PATH is not ours."""
    assert Settings() == Settings.read({"PATH": "/bin", "REDYARD_UNKNOWN": "1"})


@pytest.mark.parametrize(
    ("name", "value", "field", "expected"),
    [
        ("REDYARD_HOME", "/a", "home", "/a"),
        ("REDYARD_ENGINE", "/b", "engine", "/b"),
        ("REDYARD_PORTS", "18000-18999", "ports", "18000-18999"),
        ("REDYARD_RUNTIME", "/c", "runtime", "/c"),
        ("REDIS_URL", "redis://d", "redis_url", "redis://d"),
        ("REDIS_CACHE_URL", "redis://e", "redis_cache_url", "redis://e"),
        ("REDIS_URL_FILE", "/j", "redis_url_file", "/j"),
        ("REDIS_CACHE_URL_FILE", "/k", "redis_cache_url_file", "/k"),
        ("REDIS_PRIVATE_URL", "redis://i", "redis_private_url", "redis://i"),
        ("APP_ENV", "staging", "app_env", "staging"),
        ("REDISHOST", "f", "redis_host", "f"),
        ("REDISPORT", "1", "redis_port", 1),
        ("REDISUSER", "g", "redis_user", "g"),
        ("REDISPASSWORD", "h", "redis_password", "h"),
    ],
)
def test_each_variable_is_read(name, value, field, expected):
    """To its field."""
    assert expected == getattr(Settings.read({name: value}), field)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("REDISPORT", "many"),
        ("REDISPORT", "0"),
        ("REDISPORT", "65536"),
        ("REDISPORT", "1.5"),
        ("REDYARD_PORTS", "17000"),
        ("REDYARD_PORTS", "17000-"),
    ],
)
def test_a_bad_value_names_its_variable(name, value):
    """With the value and what is expected."""
    with pytest.raises(InvalidSetting) as error:
        Settings.read({name: value})

    assert f"{name}={value!r}" in str(error.value)
    assert error.value.details["expected"] in error.value.remedy


@pytest.mark.parametrize("row", settings.table(), ids=lambda row: row.variable)
def test_every_setting_says_what_it_is(row):
    """A sentence with its default; a secret is marked as one."""
    assert row.meaning.endswith(".")
    assert row.secret == (row.variable in SECRET_NAMES)
    assert row.variable.isupper()


def test_bytes_that_are_no_text_are_refused():
    """As the system gives them to a program; in a variable that is none of ours they harm nobody."""
    with pytest.raises(InvalidSetting, match="REDISUSER"):
        Settings.read({"REDISUSER": "\udc80"})

    assert "default" == Settings.read({"OTHER": "\udc80"}).redis_user
