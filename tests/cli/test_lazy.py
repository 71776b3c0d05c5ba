"""A module is loaded when it is asked for, and a missing extra is named."""

import sys

import pytest

from redyard.cli.lazy import EXTRAS, load, require
from redyard.errors import MissingExtra


@pytest.fixture(params=sorted(EXTRAS))
def absent(request, monkeypatch, tmp_path):
    """A package of an extra that is not installed, and a module that needs it."""
    (tmp_path / "needy.py").write_text(f"import {request.param}\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setitem(sys.modules, request.param, None)
    yield request.param
    sys.modules.pop("needy", None)


def test_module_that_needs_an_absent_package(absent):
    """Loading what needs an absent package says which extra brings it."""
    with pytest.raises(MissingExtra) as caught:
        load("needy")

    assert {"extra": EXTRAS[absent], "package": absent} == caught.value.details


def test_module_that_does_not_exist():
    """A missing module that no extra brings is a fault, not a missing extra."""
    with pytest.raises(ModuleNotFoundError):
        load("redyard.cli.nowhere")


def test_complete_extra_is_no_error():
    """An extra whose packages are installed passes."""
    assert None is require("addon")
