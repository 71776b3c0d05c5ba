"""The versions, and the engine if there is one."""

import platform

from redyard.cli.commands.version import engine
from redyard.version import VERSION


def test_version_without_a_yard(yard):
    """`redyard version` says what runs here, without a yard."""
    said = yard.json("version")

    assert (VERSION, platform.python_version()) == (said["redyard"], said["python"])
    assert "version" in said["engine"]


def test_no_engine_is_no_error(yard):
    """Where the engine cannot be used, the rest is still said, and why."""
    done = yard.run("version", REDYARD_ENGINE="/nowhere/engine")

    assert 0 == done.returncode
    assert "/nowhere/engine cannot be the engine" in " ".join(done.stdout.split())


def test_reason_is_the_error_of_the_table():
    """An engine that is none gives the table's error in JSON."""
    assert "EngineUnusable" == engine("/nowhere/engine")["error"]
