"""Data go to stdout and messages to stderr; JSON silences what is for people."""

import io
import json
import os
import subprocess
import sys

import pytest

from redyard.cli.output import CLOSED_PIPE, Output, fail
from redyard.errors import UnknownPlan

PLANS = [sys.executable, "-m", "redyard", "plans"]


@pytest.fixture
def human() -> Output:
    """The streams of a command for a person."""
    return Output(as_json=False)


@pytest.fixture
def program() -> Output:
    """The streams of a command for a program."""
    return Output(as_json=True)


def test_json_is_the_data(program, capsys):
    """With --json the data are printed as they are."""
    program.show({"a": [1, None]}, "no such view")

    assert {"a": [1, None]} == json.loads(capsys.readouterr().out)


def test_message_goes_to_stderr(human, capsys):
    """A message leaves stdout alone."""
    human.say("hello")

    assert ("", "hello\n") == capsys.readouterr()


def test_message_is_not_said_to_a_program(program, capsys):
    """With --json nothing but an error is on stderr."""
    program.say("hello")
    with program.working("hello"):
        pass

    assert ("", "") == capsys.readouterr()


def test_no_spinner_without_a_terminal(human, capsys):
    """Where stderr is no terminal nothing turns."""
    with human.working("hello"):
        pass

    assert ("", "") == capsys.readouterr()


def test_nobody_to_ask_without_a_terminal(human, monkeypatch):
    """A question is for a terminal only."""
    monkeypatch.setattr(sys, "stdin", io.StringIO("yes\n"))

    assert not human.answers


def test_error_for_a_person(capsys):
    """An error is one message, its hint and its page, and its status is returned."""
    error = UnknownPlan(plan="tiny", plans="256mb")
    status = fail(error, as_json=False)

    assert error.status == status
    assert ("", f"redyard: {error}\n  {error.remedy}\n  {error.page}\n") == capsys.readouterr()


def test_error_for_a_program(capsys):
    """With --json an error is one JSON object in one line."""
    error = UnknownPlan(plan="tiny", plans="256mb")
    fail(error, as_json=True)
    said = capsys.readouterr().err

    assert (error.to_json(), 1) == (json.loads(said), said.count("\n"))


def test_reader_that_went_away_is_quiet(yard):
    """A closed pipe ends the command with the status that shells give it, without a word."""
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(PLANS, env=yard.environ, check=False, stdout=writer, stderr=subprocess.PIPE, text=True)
    os.close(writer)

    assert (CLOSED_PIPE, "") == (done.returncode, done.stderr)


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="the system has no /dev/full")
def test_full_disk_is_an_error(yard):
    """Output that cannot be stored is an error, not a success."""
    with open("/dev/full", "w") as full:
        done = subprocess.run(PLANS, env=yard.environ, check=False, stdout=full, stderr=subprocess.PIPE, text=True)

    assert 40 == done.returncode
    assert "no room" in done.stderr


def test_no_stdout_at_all(yard):
    """A command whose stdout was closed before it began does not fail for that."""
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", *PLANS], env=yard.environ, check=False, stderr=subprocess.PIPE, text=True
    )

    assert (0, "") == (done.returncode, done.stderr)


def test_no_colour_in_a_pipe(yard):
    """What goes to a pipe has no colours and no cut lines."""
    done = subprocess.run(PLANS, env=yard.environ, check=False, capture_output=True, text=True)

    assert "\x1b" not in done.stdout
