"""The terms of a cached value, checked when it is defined."""

import pytest

from redyard import Cache, Redis
from redyard.cache.terms import make_terms
from redyard.errors import InvalidValue


@pytest.mark.parametrize(
    "options",
    [
        {"ttl": 0},
        {"ttl": float("nan")},
        {"ttl": 1e12},
        {"none_ttl": 0},
        {"stale_for": -1},
        {"stale_if_error": float("inf")},
        {"soft_timeout": -0.1},
        {"hard_timeout": 0},
        {"jitter": 1},
        {"jitter": -0.1},
    ],
    ids=str,
)
def test_terms_that_cannot_be_are_refused(options):
    """At the decorator, not at the first call."""
    with pytest.raises(InvalidValue):
        Cache(Redis()).cached("a", **options)


def test_what_is_not_said_is_the_caches():
    """An old value may stand in for an error as long as it may be given at all."""
    terms = make_terms({"stale_for": 30}, 60)

    assert (60, 30, 30, 30) == (terms.ttl, terms.stale_for, terms.stale_if_error, terms.old_for)


def test_an_unknown_option_is_refused():
    """As of any function."""
    with pytest.raises(TypeError):
        Cache(Redis()).cached("a", time_to_live=60)
