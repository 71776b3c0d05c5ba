"""Passwords are long, different, and need no quoting."""

import re

from redyard.engine import access
from redyard.yard.credentials import generate, url


def test_each_user_has_a_password_of_its_own():
    """Every user of the engine has a password, and no two are alike, nor those of two instances."""
    first, second = generate(), generate()

    assert [user.name for user in access.TABLE] == list(first)
    assert 2 * len(access.TABLE) == len({*first.values(), *second.values()})


def test_password_needs_no_quoting():
    """A password has 192 random bits in letters that a URL and a shell take as they are."""
    assert [] == [word for word in generate().values() if not re.fullmatch(r"[A-Za-z0-9_-]{32}", word)]


def test_url_is_the_app_s():
    """The URL names the app's user on the loopback."""
    assert "redis://default:secret@127.0.0.1:17001/0" == url("127.0.0.1", 17001, "secret")
    assert "redis://default:secret@[fd12::5]:17001/0" == url("fd12::5", 17001, "secret")
