"""What `--json` prints is what its page says: every field, no other, of that type."""

import json

import msgspec
import pytest

from redyard.cli.main import TABLE
from redyard.yard import answers

GUIDED = {
    *("run", "connect", "completion", "worker", "queues", "doctor", "backups", "alerts", "metrics", "top", "health"),
    "tls",
}
"""Commands that print what another prints, or what their guide shows."""


def check(name: str, said: object) -> None:
    """Read data by the documented shape; an unknown, missing or mistyped field is an error."""
    msgspec.convert(said, answers.TABLE[name])


def test_every_command_has_a_shape():
    """But those that print what another command prints, or a script."""
    shaped = {name.partition(" ")[0] for name in answers.TABLE} - {"an"}

    assert {row.name for row in TABLE} == shaped | GUIDED


@pytest.mark.parametrize(
    "words",
    [["status"], ["info"], ["info", "redis-cache"], ["vars"], ["plans"], ["version"], ["config", "show", "redis"]],
)
def test_looking(shared_yard, words):
    """Commands that only look."""
    said = json.loads(shared_yard.run(*words, "--json").stdout)

    check(" ".join(words[:2]) if words[0] == "config" else words[0], said)


def test_changing(yard):
    """Commands that change something."""
    check("up", yard.json("up", "--detach"))
    check("add", yard.json("add", "redis", "--role", "cache"))
    check("add", yard.calls.add("two", role="store"))
    check("attach", yard.calls.attach(yard.url("two-store"), "three"))
    for name in ("stop", "start", "restart"):
        check(name, getattr(yard.calls, name)("redis"))
    check("config set", yard.calls.set("redis", "slowlog-max-len", "7"))
    check("config reset", yard.calls.reset("redis", "slowlog-max-len"))
    check("access add", yard.json("access", "add", "redis", "shop"))
    check("access list", yard.calls.accesses("redis"))
    check("credentials rotate", yard.calls.rotate("redis", "all", wait=20))
    check("credentials show", yard.calls.credentials("redis", "all"))
    check("access remove", yard.calls.revoke("redis", "shop"))
    check("detach", yard.json("detach", "three"))
    check("remove", yard.json("remove", "two", "--confirm", "two"))
    for line in yard.run("logs", "--json").stdout.splitlines():
        check("logs", json.loads(line))
    for line in yard.run("audit", "--json").stdout.splitlines():
        check("audit", json.loads(line))
    check("down", yard.json("down"))


def test_failing(yard):
    """An error is one object on stderr."""
    check("an error", yard.error("status"))
