"""Marks of tests that end event loops and fork processes while connections are open."""

import pytest

LEAVES_LOOPS = [
    pytest.mark.usefixtures("collected"),
    pytest.mark.filterwarnings(
        "ignore:unclosed:ResourceWarning",
        "ignore:loop is closed:ResourceWarning",
        "ignore:.*fork:DeprecationWarning",
    ),
]
