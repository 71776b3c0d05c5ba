"""A shell completes commands, options, choices and names, without asking the yard and without loading all commands."""

import shutil
import subprocess
import sys

import pytest

from tests.cli.test_main import HEAVY, run_prepared


def completed(yard, line: str) -> list[str]:
    """Return what bash would offer at the end of a line."""
    words = line.split(" ")
    asked = {"_REDYARD_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(len(words) - 1)}
    return yard.run(**asked).stdout.split()


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("redyard sta", {"start", "status"}),
        ("redyard config ", {"show", "set", "reset"}),
        ("redyard info ", {"redis", "redis-cache", "redis-store"}),
        ("redyard connect redis-s", {"redis-store"}),
        ("redyard run --name ", {"redis", "redis-cache", "redis-store"}),
        ("redyard add redis --plan 5", {"512mb"}),
        ("redyard attach --ro", {"--role"}),
    ],
)
def test_what_is_offered(shared_yard, line, expected):
    """Commands, choices, names of add-ons and instances, plans, options."""
    assert expected == set(completed(shared_yard, line))


def test_names_need_no_yard(yard):
    """Where no yard is, no name is offered, and nothing is said."""
    assert [] == completed(yard, "redyard info ")


@pytest.mark.parametrize(
    ("line", "modules"), [("redyard st", set()), ("redyard info r", {"redyard.cli.commands.info"})]
)
def test_completing_loads_little(yard, line, modules):
    """The names of commands come from the table; what follows needs that command's module, and nothing heavy."""
    asked = {"_REDYARD_COMPLETE": "complete_bash", "COMP_WORDS": line, "COMP_CWORD": str(line.count(" "))}
    yard.environ |= asked
    done = run_prepared(yard, "import atexit; atexit.register(lambda: print('LOADED', *sys.modules))")
    loaded = set(done.stdout.partition("LOADED")[2].split())

    assert "redyard.cli.main" in loaded
    assert modules == {name for name in loaded if name.startswith("redyard.cli.commands.")} | (HEAVY & loaded)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_is_the_shell_s(yard, shell):
    """It is read without an error by the shell, where that is installed."""
    done = yard.run("completion", shell)
    program = shutil.which(shell)
    if program:
        subprocess.run([program, "-n"], input=done.stdout, text=True, check=True)

    assert 0 == done.returncode
    assert f"complete_{shell}" in done.stdout


def test_bash_completes(shared_yard):
    """A bash that read the script offers what `redyard` says."""
    script = shared_yard.run("completion", "bash").stdout
    asked = "COMP_WORDS=(redyard info redis-c); COMP_CWORD=2; _redyard_completion python_redyard; echo $COMPREPLY"
    program = shared_yard.root / "python_redyard"
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m redyard "$@"\n')
    program.chmod(0o755)
    environ = shared_yard.environ | {"PATH": f"{shared_yard.root}:{shared_yard.environ['PATH']}"}
    said = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"], env=environ, capture_output=True, text=True, check=True
    ).stdout

    assert "redis-cache\n" == said
