"""`import redyard`: few names, loaded when they are used."""

import subprocess
import sys

import pytest

import redyard


def test_there_are_few_names():
    """At most 14, each of which is there."""
    assert len(redyard.__all__) <= 14
    assert set(redyard.__all__) <= set(dir(redyard))
    for name in redyard.__all__:
        assert name == getattr(redyard, name).__name__


def test_an_unknown_name_is_an_attribute_error():
    """As with any module."""
    with pytest.raises(AttributeError, match="Reddis"):
        _ = redyard.Reddis


def test_importing_the_package_loads_nothing_heavy():
    """So that commands start fast."""
    code = "import redyard, sys; print(sorted({'redis', 'msgspec', 'asyncio'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert "[]" == done.stdout.strip()
