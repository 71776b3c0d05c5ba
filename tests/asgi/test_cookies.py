"""Signed ids, and cookies that browsers keep."""

import pytest
from hypothesis import given, strategies as st

from redyard.asgi.cookies import Cookie, Signer
from redyard.errors import BadCookie, WeakSecret

NEW, OLD = "a-secret-of-today", "a-secret-of-yesterday"


def test_a_signed_id_is_verified():
    """By the secret that signed it, first or not."""
    old, both, new = Signer(OLD), Signer([NEW, OLD]), Signer(NEW)

    assert "an-id" == both.verify(old.sign("an-id")) == new.verify(both.sign("an-id"))
    assert new.verify(old.sign("an-id")) is None


@given(st.text())
def test_what_nobody_signed_is_refused(text):
    """Whatever a browser sends."""
    signer = Signer(NEW)

    assert signer.verify(text) is None
    assert signer.verify(f"{text}.{signer.sign('an-id').rpartition('.')[2]}") in {None, "an-id"}


@pytest.mark.parametrize("secret", ["", "short", [], [NEW, "short"], "x" * 15])
def test_a_weak_secret_is_refused(secret):
    """Also one that is only kept for old cookies."""
    with pytest.raises(WeakSecret):
        Signer(secret)


@pytest.mark.parametrize(
    ("name", "secure", "expected"),
    [(None, True, "__Host-session"), (None, "auto", "session"), (None, False, "session"), ("sid", True, "sid")],
)
def test_a_secure_cookie_is_bound_to_its_host(name, secure, expected):
    """Where it may be: the prefix needs Secure."""
    assert expected == Cookie(name, same_site="lax", secure=secure).name


@pytest.mark.parametrize(
    ("name", "same_site", "secure"),
    [
        ("__Host-session", "lax", "auto"),
        ("__Secure-session", "lax", False),
        (None, "none", "auto"),
        (None, "sometimes", True),
        ("a b", "lax", True),
        ("a;b", "lax", True),
    ],
)
def test_a_cookie_that_browsers_would_refuse_is_refused_at_the_start(name, same_site, secure):
    """Not by a sign-in that does not stick."""
    with pytest.raises(BadCookie):
        Cookie(name, same_site=same_site, secure=secure)


@pytest.mark.parametrize(
    ("secure", "https", "expected"),
    [(True, False, True), (False, True, False), ("auto", True, True), ("auto", False, False)],
)
def test_the_line_that_sets_it(secure, https, expected):
    """HttpOnly, for the whole site, and Secure as told or as the request came."""
    line = Cookie("sid", same_site="Lax", secure=secure).line("v", max_age=60, https=https)

    assert "sid=v; Max-Age=60; Path=/; HttpOnly; SameSite=lax" + ("; Secure" if expected else "") == line


def test_a_cookie_is_found_among_others():
    """Each of its values: a browser may hold two."""
    cookie = Cookie("sid", same_site="lax", secure="auto")

    assert ["1", "2", "", "3"] == cookie.find(['a=b; sid=1;sid="2"; xsid=7', "sid=; broken; sid=3"])
