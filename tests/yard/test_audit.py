"""What is done with a yard is written down, all of it, by whom, and without any password."""

import inspect
import json
import os
import signal
import socket
import stat
from pathlib import Path
from typing import Any

import pytest

from redyard import events
from redyard.errors import RedyardError
from redyard.yard import audit
from redyard.yard.audit import ENDED, QUIET, SHOWING, STARTED, Trail, add, aside, clean, differences, passwords_of, read
from redyard.yard.calls import TIMEOUTS, _Connection
from redyard.yard.encrypted import EncryptedYard
from tests.support.wait import wait_until
from tests.support.yards import Sandbox

GIVEN = {"add": {"plan": "none"}, "bring": {"url": "redis://:sesame-of-bring@127.0.0.1:1/0", "plan": "none"}}
"""Parameters of calls that must not succeed; the others are asked about an instance that is not there."""

VALUES = {str: "nothing", float: 0.0}


def ask(yard: Sandbox, name: str, body: dict[str, Any] | bytes) -> None:
    """Make one call, whatever comes of it."""
    connection = _Connection(yard.home, 30)
    data = body if isinstance(body, bytes) else json.dumps(body)
    connection.request("POST", f"/{name}", data, {"Content-Type": "application/json"})
    connection.getresponse().read()
    connection.close()


def asked(name: str) -> dict[str, Any]:
    """Return parameters for a call, from the signature of its method."""
    needed = inspect.signature(getattr(EncryptedYard, name)).parameters.values()
    made = {item.name: VALUES[item.annotation] for item in needed if item.default is item.empty and item.name != "self"}
    return {**made, **GIVEN.get(name, {})}


def test_every_operation_is_written_down(yard: Sandbox) -> None:
    """Each call of the table leaves a line, but for those that change nothing and tell no secret."""
    yard.json("up", "--detach")
    for name in TIMEOUTS:
        if name != "down":
            ask(yard, name, asked(name))
    yard.json("down")

    everything = {*TIMEOUTS, STARTED, ENDED}
    assert everything - QUIET == {record["operation"] for record in read(yard.home.audit)}
    assert QUIET | SHOWING <= everything


def test_whole_life_leaves_no_secret(yard: Sandbox) -> None:
    """No password that there is or was, of a user, an app, an address or a setting, is in the trail or in the logs."""
    yard.json("add", "redis", "--role", "store")
    store = yard.home.instances / "redis-store" / "secrets.json"
    seen = set()

    def note() -> None:
        for item in json.loads(store.read_text()).values():
            seen.update([item] if isinstance(item, str) else [item["password"]])

    note()
    yard.json("access", "add", "redis", "shop", "--prefix", "shop:*")
    note()
    yard.json("vars", "redis", "--app", "shop")
    yard.calls.rotate("redis", "all", wait=20)
    note()
    password, other = "p@ss/w:rd%", "sesame-of-attach"
    store_url = yard.calls.login("redis", "yard")["url"]
    yard.run("attach", store_url, "--name", "theirs")
    yard.error("attach", "redis://someone:p%40ss%2Fw%3Ard%25@127.0.0.1:1/0", "--name", "far")
    yard.error("attach", f"redis://127.0.0.1:1/0?password={other}", "--name", "far")
    yard.error("config", "set", "redis-store", "masterauth", "sesame-of-setting")
    ask(yard, "attach", json.dumps({"url": "no://x:sesame-of-raw@h", "surplus": "sesame-of-surplus"}).encode())
    yard.calls.revoke("redis", "shop")
    yard.calls.info("redis", show=True)
    yard.calls.remove("redis", "redis")
    yard.json("down")
    written = "".join(path.read_text() for path in yard.home.path.glob("audit.jsonl*")) + yard.home.log.read_text()
    known = {*seen, password, "p%40ss%2Fw%3Ard%25", other, "sesame-of-setting", "sesame-of-raw", "sesame-of-surplus"}

    assert len(seen) >= 10
    assert [] == [word for word in known if word in written]


def test_record_says_who_what_and_how_it_ended(shared_yard: Sandbox) -> None:
    """User, process, command, parameters, what was and is, the result, the seconds."""
    process = shared_yard.start("config", "set", "redis-cache", "slowlog-max-len", "321")
    process.communicate()
    record = [item for item in read(shared_yard.home.audit) if item["operation"] == "set"][-1]

    assert (os.geteuid(), process.pid) == (record["uid"], record["pid"])
    assert "config set redis-cache slowlog-max-len 321" in record["command"]
    assert {"name": "redis-cache", "setting": "slowlog-max-len", "value": "321", "force": False} == record["parameters"]
    assert ({}, {"slowlog-max-len": "321"}) == tuple(
        record[side]["redis-cache"]["settings"] for side in ("before", "after")
    )
    assert ("done", "ok", True) == (record["state"], record["result"], record["seconds"] >= 0)
    assert 0o600 == stat.S_IMODE(shared_yard.home.audit.stat().st_mode)


def test_refusal_is_written_with_its_error(shared_yard: Sandbox) -> None:
    """What was refused is there too, with the error's name."""
    with pytest.raises(RedyardError):
        shared_yard.calls.stop("nothing-here")
    record = [item for item in read(shared_yard.home.audit) if item["operation"] == "stop"][-1]

    assert ("UnknownName", {}, {}) == (record["result"], record["before"], record["after"])
    assert "nothing-here" in record["message"]


def test_command_prints_what_was_done(shared_yard: Sandbox) -> None:
    """`redyard audit` prints lines, also as JSON, since a moment or a span; no yard is needed."""
    shared_yard.calls.variables("redis")
    text = shared_yard.run("audit").stdout.splitlines()
    rows = [json.loads(row) for row in shared_yard.run("audit", "--json", "--since", "1h").stdout.splitlines()]

    assert any(" add name=redis" in row and "redis-store made" in row for row in text)
    assert {"add", "variables"} <= {row["operation"] for row in rows}
    assert "" == shared_yard.run("audit", "--since", "2099-01-01T00:00:00Z").stdout


def test_what_was_cut_short_is_unfinished(yard: Sandbox) -> None:
    """A change during which the yard was killed is in the trail without an end, and who follows it sees that."""
    yard.json("up", "--detach")
    with socket.socket() as hanging:
        hanging.bind(("127.0.0.1", 0))
        hanging.listen()
        following = yard.start("audit", "--follow", "--json")
        attach = yard.start("attach", f"redis://127.0.0.1:{hanging.getsockname()[1]}/0", "--name", "far")
        wait_until(lambda: any(item["operation"] == "attach" for item in read(yard.home.audit)), timeout=20)
        yard.kill_yard()
        attach.communicate()
        row = next(row for row in map(json.loads, following.stdout) if row["operation"] == "attach")
        following.terminate()
        following.communicate()
    record = next(record for record in read(yard.home.audit) if record["operation"] == "attach")

    assert ("unfinished", None) == (record["state"], record["result"])
    assert record == row


def test_end_by_a_signal_is_written_down(yard: Sandbox) -> None:
    """Nobody calls; the trail says all the same when the yard began, when it ended, and by what."""
    yard.json("up", "--detach")
    pid = yard.yard_pid()
    os.kill(pid, signal.SIGTERM)
    wait_until(lambda: not yard.home.is_held())
    found = [(item["operation"], item["pid"], item["parameters"]) for item in read(yard.home.audit)]

    assert [(STARTED, pid, {}), (ENDED, pid, {"reason": "SIGTERM"})] == found


def test_trail_is_bounded_and_private(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full file is put aside, the oldest goes, each is its owner's alone, and reading gives them in their order."""
    monkeypatch.setattr(audit, "LIMIT", 200)
    path = tmp_path / "audit.jsonl"
    for number in range(60):
        add(path, json.dumps({"id": str(number), "time": f"{number:02}", "state": "done", "operation": "x" * 40}))
    files = [aside(path, number) for number in range(audit.KEPT + 1)]
    found = [int(item["id"]) for item in read(path)]

    assert sorted(files) == sorted(tmp_path.iterdir())
    assert {0o600} == {stat.S_IMODE(file.stat().st_mode) for file in files}
    assert list(range(found[0], 60)) == found
    assert sum(file.stat().st_size for file in files) < 200 * 2 * (audit.KEPT + 1)


def test_torn_line_is_skipped_and_harms_no_other(tmp_path: Path) -> None:
    """Half a line, left by a machine that lost power, is not joined with the next."""
    path = tmp_path / "audit.jsonl"
    path.write_text('{"id": "1", "time": "1", "st')
    add(path, json.dumps({"id": "2", "time": "2", "state": "done"}))

    assert ["2"] == [item["id"] for item in read(path)]


async def test_disk_that_takes_nothing_stops_no_operation(tmp_path: Path) -> None:
    """What is done goes on, and the yard's log tells that it was not written down."""
    seen = []
    trail = Trail(tmp_path / "missing" / "audit.jsonl", dict, list)
    end = events.subscribe(seen.append)
    await trail.end(await trail.begin("stop", {"name": "redis"}, {"uid": 1}))
    end()

    assert [events.UNAUDITED] * 2 == [event.kind for event in seen]


@pytest.mark.parametrize(
    ("text", "hidden"),
    [
        ("redis://u:secret@h/0", {"secret"}),
        ("rediss://:a%2Fb@h", {"a%2Fb", "a/b"}),
        ("redis://h/0?password=secret&x=1", {"secret"}),
        ("redis://h", set()),
        ("shop", set()),
        ("redis://[broken", set()),
    ],
)
def test_password_of_an_address_is_known(text: str, hidden: set[str]) -> None:
    """An address's password is found as it is written and as it is meant."""
    assert hidden == passwords_of(text)


@pytest.mark.parametrize("spelling", ['a"b\\c', 'a\\"b\\\\c', "a%22b%5Cc"])
def test_secret_is_taken_out_in_every_spelling(spelling: str) -> None:
    """Plain, as JSON writes it, and as an address has it."""
    assert "x *** y" == clean(f"x {spelling} y", ['a"b\\c'])


def test_differences_are_told_field_by_field() -> None:
    """What stayed is left out; what is new or gone is there whole."""
    before = {"a": {"plan": "256mb", "port": 1}, "gone": {"port": 2}}
    after = {"a": {"plan": "1gb", "port": 1}, "new": {"port": 3}}

    expected = ({"a": {"plan": "256mb"}, "gone": {"port": 2}}, {"a": {"plan": "1gb"}, "new": {"port": 3}})
    assert expected == differences(before, after)
