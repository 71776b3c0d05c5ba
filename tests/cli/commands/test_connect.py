"""`connect` gives a person the rights that were asked for, and no command line shows a password."""

import contextlib
import json
import os
import pty
import shutil
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def filled(shared_yard):
    """A yard whose store holds a key."""
    done = shared_yard.run("connect", "redis", "--app", "--", "SET", "greeting", "hello world")
    assert (0, "OK\n") == (done.returncode, done.stdout), done.stderr
    return shared_yard


def talk(yard, *lines: str, arguments: tuple[str, ...], path: str = "") -> tuple[str, bytes]:
    """Type lines at a prompt, each once the prompt is there; return what was shown and the process's command line."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "redyard", "connect", *arguments]
    environ = yard.environ | {"TERM": "dumb", **({"PATH": path} if path else {})}
    process = subprocess.Popen(command, env=environ, stdin=slave, stderr=slave, stdout=slave, close_fds=True)
    os.close(slave)
    shown, words = b"", b""
    try:
        for line in [*lines, "quit"]:
            before = len(shown)
            while not any(mark in shown[before:] for mark in (b"> ", b"to do it: ")):
                shown += os.read(master, 4096)
            words = Path(f"/proc/{process.pid}/cmdline").read_bytes() if os.path.exists("/proc") else b""
            os.write(master, line.encode() + b"\n")
        with contextlib.suppress(OSError):
            while piece := os.read(master, 65536):
                shown += piece
        assert 0 == process.wait(30)
    finally:
        process.kill()
        process.wait()
        os.close(master)
    return shown.decode(), words


def test_one_command_is_run_and_printed(filled):
    """For a program the value alone; as JSON its shape."""
    said = filled.run("connect", "redis", "--", "GET", "greeting").stdout
    done = filled.run("connect", "redis", "--json", "--", "MGET", "greeting", "none")

    assert ("hello world\n", ["hello world", None]) == (said, json.loads(done.stdout))


def test_monitor_changes_nothing(filled):
    """Without --app or --admin a write is refused, and the error names the way."""
    error = json.loads(filled.run("connect", "redis", "--json", "--", "SET", "greeting", "bye").stderr)

    assert ("CommandRefused", 108) == (error["error"], error["status"])
    assert "monitor" in error["hint"]
    assert "--app" in error["hint"]


def test_app_may_not_empty(filled):
    """An app's user has no dangerous command."""
    error = json.loads(
        filled.run("connect", "redis", "--json", "--app", "--confirm", "redis-store", "--", "FLUSHALL").stderr
    )

    assert "CommandRefused" == error["error"]
    assert "NOPERM" in error["message"] or "permission" in error["message"]


def test_emptying_wants_the_name(filled):
    """FLUSHALL by --admin does nothing without the instance's name, or with another."""
    for confirm in ([], ["--confirm", "redis"]):
        error = json.loads(filled.run("connect", "redis", "--json", "--admin", *confirm, "--", "flushall").stderr)

        assert "NotEmptied" == error["error"]
    assert "hello world\n" == filled.run("connect", "redis", "--", "GET", "greeting").stdout


def test_confirmed_emptying_is_done(shared_yard):
    """With the name it is done: there, and nowhere else."""
    arguments = ("connect", "redis-cache", "--admin", "--confirm", "redis-cache", "--", "FLUSHALL")

    assert "OK\n" == shared_yard.run(*arguments).stdout


@pytest.mark.parametrize("arguments", [("redis", "--app", "--admin"), ("redis", "--json")])
def test_contradictions_are_refused(shared_yard, arguments):
    """Two users at once, or a prompt as JSON, is a wrong command line."""
    assert 2 == shared_yard.run("connect", *arguments).returncode


def test_stopped_instance_is_told(yard):
    """At an engine that does not run there is nothing to connect to."""
    yard.json("add", "redis", "--role", "cache")
    yard.calls.stop("redis")

    assert "NotRunning" == yard.error("connect", "redis", "--", "PING")["error"]


def test_built_in_prompt(filled):
    """Where no other client is installed, or for --admin, it asks, answers, and remembers what holds no password."""
    shown, _ = talk(
        filled, "GET greeting", "SET greeting x", "AUTH a secret-word", "GET 'a", arguments=("redis",), path="/nowhere"
    )
    history = (filled.home.path / "history").read_text()

    assert '"hello world"' in shown
    assert "monitor user" in shown
    assert shown.count("(error)") == 3
    assert "GET greeting\n" in history
    assert "secret-word" not in history
    assert 0o600 == (filled.home.path / "history").stat().st_mode & 0o777


def test_prompt_of_admin_asks_before_it_empties(filled):
    """Another answer than the name leaves everything."""
    shown, _ = talk(filled, "FLUSHALL", "yes", "GET greeting", arguments=("redis", "--admin"))

    assert "Type redis-store to do it" in shown
    assert '"hello world"' in shown


@pytest.mark.skipif(not shutil.which("redis-cli") and not shutil.which("valkey-cli"), reason="needs redis-cli")
def test_usual_client_is_the_prompt(filled):
    """It has the monitor's rights, and its command line has no password."""
    shown, line = talk(filled, "ACL WHOAMI", "GET greeting", arguments=("redis",))
    files = filled.home.instances.glob("*/secrets.json")
    secrets = [word for path in files for word in json.loads(path.read_text()).values()]

    assert "hello world" in shown
    assert b"-cli" in line
    assert b"--user\0monitor" in line
    assert [] == [secret for secret in secrets if secret.encode() in line]
