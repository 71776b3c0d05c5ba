"""A command under `redyard run` is itself: its words, status and signals."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import json, os, sys
from redyard.cli.commands.run import become
from redyard.cli.output import fail
from redyard.errors import RedyardError
try:
    become(json.loads(sys.argv[1]), {**os.environ, **json.loads(sys.argv[2])})
except RedyardError as error:
    sys.exit(fail(error, as_json=False))
"""


def become(*command: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Let a process become a command."""
    words = [sys.executable, "-c", PROGRAM, json.dumps(command), json.dumps(environment)]
    return subprocess.run(words, capture_output=True, text=True, check=False)


def test_words_reach_the_command_unchanged():
    """Arguments are handed on word by word; no shell reads them."""
    words = ["a b", "$HOME", "*", "--json", "--", ""]
    done = become(sys.executable, "-c", "import json,sys; print(json.dumps(sys.argv[1:]))", *words)

    assert words == json.loads(done.stdout)


def test_status_is_the_command_s():
    """The exit status is the command's own."""
    assert 37 == become("sh", "-c", "exit 37").returncode


def test_environment_is_overridden():
    """A variable that exists has the new value."""
    assert "new\n" == become("sh", "-c", "echo $PATH_TO_X", PATH_TO_X="new").stdout


def test_command_ends_by_its_own_signal():
    """A command that dies of a signal is seen to die of it."""
    assert -15 == become("sh", "-c", "kill -TERM $$").returncode


def test_broken_pipe_ends_the_command():
    """The command gets SIGPIPE as a shell would give it, though Python ignores it."""
    assert -13 == become("sh", "-c", "kill -PIPE $$").returncode


@pytest.mark.parametrize(
    ("command", "reason"),
    [
        ("no-such-command", "no such file or directory"),
        ("", "execve: argv first element cannot be empty"),
        ("/", "permission denied"),
        ("/dev/null/x", "not a directory"),
    ],
)
def test_command_that_cannot_be_run(command, reason):
    """What cannot be run is one error with its name and the reason."""
    done = become(command)

    assert 42 == done.returncode
    assert f"{command!r} cannot be run: {reason}" in done.stderr


def test_run_gives_the_variables_of_the_addon(shared_yard):
    """The command sees what `vars` prints and the files that follow it, also where it had other values."""
    program = "import json, os; print(json.dumps({k: v for k, v in os.environ.items() if k.startswith('REDIS')}))"
    done = shared_yard.run("run", "--", sys.executable, "-c", program, REDIS_URL="redis://elsewhere")

    seen = json.loads(done.stdout)
    files = {name: Path(seen.pop(f"{name}_FILE")).read_text().strip() for name in ("REDIS_URL", "REDIS_CACHE_URL")}

    assert shared_yard.json("vars") == seen
    assert files == {name: seen[name] for name in files}


def test_options_after_the_command_are_its_own(shared_yard):
    """Without `--`, what follows the command's name still belongs to the command."""
    assert "--json --name\n" == shared_yard.run("run", "--name", "redis", "echo", "--json", "--name").stdout


def test_signal_reaches_the_command(shared_yard):
    """The command has the process that was started: a signal sent there is the command's."""
    script = "trap 'echo ended; exit 7' TERM; echo ready; while :; do sleep 0.05; done"
    process = shared_yard.start("run", "--", "sh", "-c", script)
    ready = process.stdout.readline()
    process.terminate()
    said = process.communicate(timeout=30)[0]

    assert ("ready\n", "ended\n", 7) == (ready, said, process.returncode)


def test_password_is_not_in_the_command_line(shared_yard):
    """The variables are in the environment only: the process list shows the command's own words."""
    password = shared_yard.json("vars")["REDISPASSWORD"]
    done = shared_yard.run("run", "--", "sh", "-c", "ps -o args= -p $$ || cat /proc/$$/cmdline")

    assert 0 == done.returncode
    assert password not in done.stdout


def test_run_without_a_yard(yard):
    """Where no yard runs, the command is not started."""
    done = yard.run("run", "--", "echo", "started")

    assert (10, "") == (done.returncode, done.stdout)
