"""Backups of a store that somebody else runs: followed where it lets us, else read now and then; kept afterwards."""

import json
from collections.abc import Iterator

import pytest
import redis

from redyard.backups.restore import windows
from redyard.backups.storage import Directory
from redyard.backups.timeline import LOGICAL, Timeline
from redyard.engine.find import find
from redyard.errors import NoBackups, Usage
from tests.support.servers import PASSWORDS, Server
from tests.support.wait import wait_until
from tests.support.yards import Sandbox


@pytest.fixture
def foreign() -> Iterator[Server]:
    """A Redis that somebody else runs, empty each time."""
    with Server(find()) as server:
        yield server


def facts(yard: Sandbox) -> dict:
    """Return what the status tells of the backups of what is attached."""
    return yard.instance("shop-store")["backups"]


def storage(yard: Sandbox) -> Directory:
    """Return where the yard keeps them."""
    return Directory(yard.home.path / "backups" / "shop-store")


def test_an_attached_store_is_followed(running: Sandbox, own_server: Server) -> None:
    """Every moment of it is backed up, proved by what it says of itself, and restored into an add-on of its own."""
    own_server.admin("MSET", *(word for number in range(20) for word in (f"key:{number}", number)))
    running.calls.attach(own_server.admin_url, "shop")
    wait_until(lambda: facts(running)["following"])
    own_server.admin("SET", "later", "1")
    proved = running.json("backups", "verify", "shop")
    made = running.json("backups", "restore", "shop", "--into", "copy")
    refused = running.error("backups", "restore", "shop", "--over", "--confirm", "shop-store")

    assert ({"0": 21}, {"0": 21}) == (proved["proof"]["keys"], made["keys"])
    assert "a sample of the server's keys" in proved["proof"]["compared"]
    assert (1, Usage.__name__) == (len(windows(storage(running))), refused["error"])
    assert (False, "") == (facts(running)["off_machine"], facts(running)["trouble"])
    with redis.Redis.from_url(running.url("copy-store"), decode_responses=True) as copy:
        assert ["19", "1"] == copy.mget("key:19", "later")
    running.calls.remove("copy", "copy")
    running.calls.detach("shop")


def test_one_that_lets_nobody_follow_is_read(running: Sandbox, foreign: Server) -> None:
    """The status says how often; a capture reads it now; only these moments exist; that is no trouble."""
    foreign.admin("SET", "key", "1")
    running.calls.attach(foreign.url, "shop")
    wait_until(lambda: facts(running)["snapshots_every"])
    foreign.admin("SET", "later", "1")
    running.calls.capture("shop")
    proved = running.json("backups", "verify", "shop")
    checks = {item["check"] for item in json.loads(running.run("doctor", "shop-store", "--json").stdout)["findings"]}

    assert ({"0": 2}, {LOGICAL}) == (
        proved["proof"]["keys"],
        {base.kind for base in Timeline(storage(running).names()).bases},
    )
    assert ("", set()) == (facts(running)["trouble"], checks & {"backups", "backups-behind"})
    assert "each 1" in running.run("status").stdout
    running.calls.detach("shop")


def test_a_detached_store_keeps_its_backups(running: Sandbox, foreign: Server) -> None:
    """They are told, go with nobody who has the name next, and can be restored by their place; no password is there."""
    running.calls.attach(foreign.admin_url, "shop")
    wait_until(lambda: facts(running)["following"])
    foreign.admin("SET", "last", "1")
    wait_until(lambda: facts(running)["lag_bytes"] == 0)
    files = [path for path in running.home.path.rglob("*") if path.is_file()]
    having = [path.name for path in files if PASSWORDS["yard"].encode() in path.read_bytes()]
    [place] = running.calls.detach("shop")["backups"]
    running.calls.add("shop", "256mb", role="store")
    running.calls.remove("shop", "shop")
    made = running.json("backups", "restore", place, "--into", "back")

    assert ({"0": 1}, ["secrets.json"]) == (made["keys"], having)
    assert place.startswith(f"{storage(running).root}.until-")
    assert not (running.home.path / "spool" / "shop-store").exists()
    running.calls.remove("back", "back")


def test_an_attached_cache_is_not_backed_up(running: Sandbox, foreign: Server) -> None:
    """What may be forgotten has no backups, and the error says so."""
    running.calls.attach(foreign.admin_url, "shop", role="cache")

    assert running.instance("shop-cache")["backups"] is None
    with pytest.raises(NoBackups, match="cache"):
        running.calls.capture("shop")
    assert [] == running.calls.detach("shop")["backups"]
