"""A shell completes commands, options, choices and names, without asking the yard and without loading all commands."""

import os
import pty
import re
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


@pytest.fixture
def environ(shared_yard):
    """The variables of a shell that finds `redyard`."""
    program = shared_yard.root / "bin" / "redyard"
    program.parent.mkdir(exist_ok=True)
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m redyard "$@"\n')
    program.chmod(0o755)
    return shared_yard.environ | {"PATH": f"{program.parent}:{shared_yard.environ['PATH']}", "TERM": "dumb"}


def test_bash_completes(shared_yard, environ):
    """A bash that read the script offers what `redyard` says."""
    script = shared_yard.run("completion", "bash").stdout
    asked = "COMP_WORDS=(redyard info redis-c); COMP_CWORD=2; _redyard_completion redyard; echo $COMPREPLY"
    said = subprocess.run(
        ["bash", "-c", f"{script}\n{asked}"], env=environ, capture_output=True, text=True, check=True
    ).stdout

    assert "redis-cache\n" == said


@pytest.mark.skipif(shutil.which("fish") is None, reason="fish is not here")
@pytest.mark.parametrize(("line", "offered"), [("redyard info redis-c", "redis-cache"), ("redyard deta", "detach")])
def test_fish_completes(shared_yard, environ, tmp_path, line, offered):
    """A fish that has the file where the command's help puts it offers what `redyard` says."""
    place = tmp_path / "fish" / "completions"
    place.mkdir(parents=True)
    (place / "redyard.fish").write_text(shared_yard.run("completion", "fish").stdout)
    own = environ | {"XDG_CONFIG_HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path), "HOME": str(tmp_path)}
    said = subprocess.run(
        ["fish", "-c", f"complete -C '{line}'"], env=own, capture_output=True, text=True, check=True, cwd=tmp_path
    ).stdout

    assert [offered] == [row.split("\t")[0] for row in said.splitlines()]


@pytest.mark.skipif(shutil.which("zsh") is None, reason="zsh is not here")
@pytest.mark.parametrize(
    ("typed", "line"), [("redyard info redis-c", "redyard info redis-cache"), ("redyard deta", "redyard detach")]
)
def test_zsh_completes(shared_yard, environ, tmp_path, typed, line):
    """A zsh at a terminal, which read the script as the command's help says, ends the word at TAB."""
    (tmp_path / ".zshrc").write_text('autoload -U compinit; compinit -u; eval "$(redyard completion zsh)"; PS1=READY\n')
    keys, terminal = pty.openpty()
    own = environ | {"ZDOTDIR": str(tmp_path), "HOME": str(tmp_path)}
    with subprocess.Popen(["zsh", "-i"], stdin=terminal, stdout=terminal, stderr=terminal, env=own):
        os.close(terminal)
        read_until(keys, "READY")
        os.write(keys, f"{typed}\t\x01echo '[\x05]'\n".encode())  # the ends of the line, then its words are printed
        said = read_until(keys, "]\r\n")
        os.write(keys, b"exit\n")
    os.close(keys)

    assert [line] == re.findall(r"\n\[(.*\S) *\]\r\n", said)


def read_until(keys: int, words: str) -> str:
    """Read a terminal until it shows the words; the test's own time limit ends the wait."""
    said = ""
    while words not in said:
        said += os.read(keys, 4096).decode(errors="replace")
    return said
