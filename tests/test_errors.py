"""The table of errors is whole: each can be made, shown, sent and revived."""

import json
import re
from string import Formatter

import pytest

from redyard import errors
from redyard.errors import RedyardError

EVERY = pytest.mark.parametrize("row", errors.table(), ids=lambda row: row.__name__)
NUMBERS = {"seconds": 1.5, "exit_status": 3, "port": 6379, "pid": 7}


def make(row):
    """An error with a value in each of its places."""
    places = [name for text in (row.text, row.hint) for _, name, _, _ in Formatter().parse(text) if name]
    return row(**{name: NUMBERS.get(name, f"a-{name}") for name in places})


@EVERY
def test_an_error_says_what_happened_and_what_to_do_next(row):
    """With all its values, and no place left open."""
    error = make(row)

    assert str(error)
    assert error.remedy
    assert not re.search(r"\{\w*\}", str(error) + error.remedy)
    for name, value in error.details.items():
        assert str(value) in str(error) + error.remedy, name


@EVERY
def test_an_error_has_a_meaning_of_its_own(row):
    """The reference page prints it: a sentence."""
    assert row.__doc__
    assert row.__doc__.endswith(".")
    assert row.__doc__ != RedyardError.__doc__


@EVERY
def test_an_error_survives_the_way_through_the_api(row):
    """What the yard answers is the same error again, with its values."""
    error = make(row)
    revived = errors.revive(json.loads(json.dumps(error.to_json())))

    assert (row, str(error), error.remedy, error.details) == (
        type(revived), str(revived), revived.remedy, revived.details
    )  # fmt: skip


def test_every_status_is_one_errors():
    """A script can tell errors apart by the exit status; 0, 1 and those of signals are taken."""
    statuses = [row.status for row in errors.table()]

    assert len(statuses) == len(set(statuses))
    assert all(1 < status < 160 for status in statuses)


def test_the_table_is_in_the_order_of_its_statuses():
    """As the reference page shows it."""
    statuses = [row.status for row in errors.table()]

    assert sorted(statuses) == statuses


def test_every_error_class_is_in_the_table():
    """Also those that are nobody's direct child."""
    classes = {
        row for row in vars(errors).values()
        if isinstance(row, type) and issubclass(row, RedyardError) and row is not RedyardError
    }  # fmt: skip

    assert classes == set(errors.table())


def test_an_error_that_nobody_knows_is_still_shown():
    """A newer yard may answer with one."""
    revived = errors.revive({"error": "FromTheFuture", "message": "it is late", "details": {}})

    assert (RedyardError, 1) == (type(revived), revived.status)
    assert "it is late" in str(revived)
    assert "unknown error" in str(errors.revive({}))
