"""Removing wants the name twice, and says how to have an empty one again."""

import contextlib
import os
import pty
import shlex
import signal
import subprocess
import sys

import pytest

from redyard.cli.commands.remove import again

STORE = {"plan": "1gb", "role": "store"}
CACHE = {"plan": "1gb", "role": "cache"}


@pytest.fixture
def small(yard):
    """A yard with one cache, named jobs."""
    yard.json("add", "redis", "--role", "cache", "--name", "jobs")
    return yard


def answered(yard, answer: str | None) -> tuple[int, str, str]:
    """Run `remove jobs` at a terminal and type an answer, or Ctrl-C; return status, stdout and what was shown."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "redyard", "remove", "jobs"]
    process = subprocess.Popen(
        command, env=yard.environ, stdin=slave, stderr=slave, stdout=subprocess.PIPE, text=True, close_fds=True
    )
    os.close(slave)
    shown = b""
    while b"to remove it: " not in shown:
        shown += os.read(master, 4096)
    if answer is None:
        while process.poll() is None:  # a signal just before the read is noticed at the next one only
            process.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(2)
    else:
        os.write(master, answer.encode() + b"\n")
    said = process.communicate(timeout=60)[0]
    with contextlib.suppress(OSError):  # Linux: a terminal that nobody holds any more is an error
        shown += os.read(master, 65536)
    os.close(master)
    return process.returncode, said, shown.decode()


def test_addon_of_two_is_made_again_as_two():
    """A store and a cache come back as a store and a cache."""
    assert "redyard add redis --name jobs --plan 1gb" == again("jobs", [STORE, CACHE])


def test_single_instance_is_made_again_with_its_role():
    """One instance comes back with its role."""
    assert "redyard add redis --name jobs --plan 1gb --role cache" == again("jobs", [CACHE])


def test_dry_run_removes_nothing(small):
    """--dry-run says what would go, and everything is there afterwards."""
    said = small.run("remove", "jobs", "--dry-run").stdout
    directory = small.json("info", "jobs")["instances"][0]["directory"]

    assert directory in said
    assert "running" == small.phase("jobs-cache")


@pytest.mark.parametrize("confirm", [[], ["--confirm", "other"]])
def test_unconfirmed_removes_nothing(small, confirm):
    """Without the name, or with another, nothing goes."""
    error = small.error("remove", "jobs", *confirm)

    assert "NotConfirmed" == error["error"]
    assert "running" == small.phase("jobs-cache")


def test_confirmed_removes_everything(small):
    """With the name, the instance and its directory are gone."""
    directory = small.json("info", "jobs")["instances"][0]["directory"]
    answer = small.json("remove", "jobs", "--confirm", "jobs")

    assert ["jobs-cache"] == answer["removed"]
    assert [] == small.json("status")["instances"]
    assert not os.path.exists(directory)


def test_printed_command_makes_an_empty_one_again(small):
    """The command that `remove` prints makes the add-on again."""
    answer = small.json("remove", "jobs", "--confirm", "jobs")
    made = small.json(*shlex.split(answer["again"])[1:])

    assert ["jobs-cache"] == [instance["name"] for instance in made["instances"]]


def test_at_a_terminal_the_name_is_asked_for(small):
    """At a terminal, typing the name removes it; what goes was shown before."""
    status, said, shown = answered(small, "jobs")

    assert 0 == status
    assert "Removed jobs-cache." in said
    assert "for good" in shown
    assert [] == small.json("status")["instances"]


def test_another_answer_removes_nothing(small):
    """At a terminal, anything but the name leaves everything."""
    status, _, shown = answered(small, "yes")

    assert 26 == status
    assert "was not removed" in shown
    assert "running" == small.phase("jobs-cache")


def test_interrupt_removes_nothing(small):
    """Ctrl-C at the question ends the command with status 130 and leaves everything."""
    status, said, shown = answered(small, None)

    assert (130, "") == (status, said)
    assert "Traceback" not in shown
    assert "running" == small.phase("jobs-cache")


def test_half_of_an_addon_is_not_promised_back(yard):
    """Removing the cache of an add-on says that it comes back with the whole add-on only, and keeps the store."""
    yard.json("add", "redis")
    answer = yard.json("remove", "redis-cache", "--confirm", "redis-cache")

    assert (["redis-cache"], None) == (answer["removed"], answer["again"])
    assert ["redis-store"] == [item["name"] for item in yard.json("status")["instances"]]
