"""What a second machine sees of an engine: another network namespace, joined to this one by a cable of its own."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator

import pytest

from tests.support.yards import Sandbox

OURS, THEIRS = "10.203.77.1", "10.203.77.2"
LOOK = """
import json, sys, redis
from redis.backoff import NoBackoff
from redis.retry import Retry
def look(url):
    try:
        with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0), socket_connect_timeout=3) as app:
            return app.set("a", 1)
    except redis.RedisError as error:
        return type(error).__name__
print(json.dumps([look(url) for url in sys.argv[1:]]))
"""


def ip(*words: str, check: bool = True) -> int:
    return subprocess.run(["ip", *words], check=check, capture_output=True).returncode


@pytest.fixture
def second() -> Iterator[str]:
    """The name of a network namespace that reaches this machine by its private address alone."""
    name, near, far = f"redyard-test-{os.getpid()}", f"ry{os.getpid()}", f"rz{os.getpid()}"
    if shutil.which("ip") is None or ip("netns", "add", name, check=False):
        pytest.skip("no right to make a network namespace")
    try:
        ip("link", "add", near, "type", "veth", "peer", "name", far, "netns", name)
        ip("address", "add", f"{OURS}/30", "dev", near)
        ip("link", "set", near, "up")
        ip("-netns", name, "address", "add", f"{THEIRS}/30", "dev", far)
        ip("-netns", name, "link", "set", far, "up")
        yield name
    finally:
        ip("netns", "delete", name)  # the cable goes with its far end


def seen_by(second: str, *urls: str) -> list[object]:
    """What a client over there gets from each address."""
    words = ["ip", "netns", "exec", second, sys.executable, "-c", LOOK, *urls]
    return json.loads(subprocess.run(words, check=True, capture_output=True, text=True).stdout)


def test_second_machine_needs_the_password(yard: Sandbox, second: str) -> None:
    """The address of `vars` works over there; without the password, and with a wrong one, nothing does. What was not
    bound to that address does not exist there."""
    said = yard.run("add", "redis", "--name", "open", "--role", "store", "--bind", OURS).stdout
    yard.json("add", "redis", "--name", "shut", "--role", "store")
    url = yard.calls.variables("open")["REDIS_URL"]
    place, shut = url.partition("@")[2], str(yard.instance("shut-store")["port"])
    seen = seen_by(second, url, f"redis://{place}", f"redis://default:wrong@{place}", f"redis://{OURS}:{shut}/0")

    assert f"@{OURS}:" in url
    assert "passwords and data travel unencrypted" in said
    assert [True, "AuthenticationError", "AuthenticationError", "ConnectionError"] == seen


def test_second_machine_reaches_what_listens_everywhere(yard: Sandbox, second: str) -> None:
    """On all addresses, where all are private: reachable over there by the private one; `vars` names one that works."""
    yard.json("add", "redis", "--role", "store", "--bind", "0.0.0.0")
    url, port = yard.calls.variables()["REDIS_URL"], yard.instance("redis-store")["port"]
    login = url.rpartition("@")[0]

    assert [True, "AuthenticationError"] == seen_by(second, f"{login}@{OURS}:{port}/0", f"redis://{OURS}:{port}/0")
