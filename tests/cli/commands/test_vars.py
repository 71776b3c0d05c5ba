"""The variables in each form mean the same to whoever reads them."""

import shlex
import subprocess

from redyard.cli.commands.vars import Form, render

NASTY = {"REDIS_URL": "redis://default:a'b$c`d\"e f\\@h:1/0", "REDISPORT": "17000"}


def test_env_form_is_key_and_value():
    """The env form has one KEY=VALUE line for each variable."""
    assert "REDIS_URL=redis://h\nREDISPORT=1\n" == render({"REDIS_URL": "redis://h", "REDISPORT": "1"}, Form.ENV)


def test_shell_form_is_read_back_by_a_shell():
    """A shell that evaluates the shell form has exactly the values, whatever is in them."""
    script = render(NASTY, Form.SHELL) + 'printf "%s\\n%s" "$REDIS_URL" "$REDISPORT"'
    said = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout

    assert list(NASTY.values()) == said.split("\n")


def test_vars_are_the_six_of_an_addon(shared_yard):
    """An add-on gives the store's and the cache's URL, and the parts of the store's."""
    variables = shared_yard.json("vars")
    names = ["REDISHOST", "REDISPASSWORD", "REDISPORT", "REDISUSER", "REDIS_CACHE_URL", "REDIS_URL"]

    assert names == sorted(variables)
    assert variables["REDIS_URL"] == shared_yard.url("redis-store")
    assert variables["REDIS_CACHE_URL"] == shared_yard.url("redis-cache")


def test_every_form_says_the_same(shared_yard):
    """`--format env`, `json` and `shell` print the same variables, and `--json` is `--format json`."""
    expected = shared_yard.json("vars")
    env = dict(line.split("=", 1) for line in shared_yard.run("vars", "redis").stdout.splitlines())
    words = shlex.split(shared_yard.run("vars", "--format", "shell").stdout)
    shell = dict(word.split("=", 1) for word in words if word != "export")

    assert (expected, expected) == (env, shell)
    assert expected == shared_yard.json("vars", "--format", "json")


def test_unknown_name(shared_yard):
    """Variables of something that is not there are an error, and nothing is printed."""
    done = shared_yard.run("vars", "nowhere")

    assert (24, "") == (done.returncode, done.stdout)
