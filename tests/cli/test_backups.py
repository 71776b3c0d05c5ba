"""`redyard backups` as a person types it: each action on one store, and what it refuses."""

import json
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from redyard.backups.restore import latest
from redyard.backups.storage import Directory, discard
from redyard.backups.timeline import Base
from redyard.errors import (
    BackupDamaged,
    InvalidValue,
    MomentUnknown,
    NameTaken,
    NoBackups,
    NoURL,
    SecretInAddress,
    TargetNotEmpty,
    Usage,
)
from redyard.units import format_instant
from tests.support.secured import Secured
from tests.support.servers import PASSWORDS, Server
from tests.support.wait import wait_until
from tests.support.yards import Sandbox


class Kept:
    """A store, the moment between its two states, and where its backups are."""

    def __init__(self) -> None:
        self.yard = Sandbox()
        self.yard.json("add", "redis", "--role", "store")
        wait_until(lambda: self.yard.instance("redis-store")["backups"]["following"])
        with redis.Redis.from_url(self.yard.url("redis-store")) as app:
            app.mset({f"key:{number}": number for number in range(50)} | {"job:1": "waits"})
            app.set("session", 1, ex=1000)
            self.yard.json("backups", "capture", "redis")
            self.storage = Directory(self.yard.home.path / "backups" / "redis-store")
            self.moment = format_instant(latest(self.storage).at + 0.001)
            app.mset({"job:1": "done", "job:2": "new"})
            app.delete("key:1")
        self.yard.json("backups", "capture", "redis", "--base")


@pytest.fixture(scope="module")
def kept() -> Iterator[Kept]:
    """One store for all tests here."""
    made = Kept()
    yield made
    made.yard.close()


def test_list_shows_the_moments(kept: Kept) -> None:
    """Without a yard too, by the storage's address: windows, bases, sizes."""
    found = kept.yard.json("backups", "list", str(kept.storage.root))
    [window] = found["windows"]

    assert window["first"] < kept.moment <= window["last"]
    assert (2, []) == (len(found["bases"]), found["gaps"])
    said = kept.yard.run("backups", "list", "redis").stdout
    assert window["first"] in said


def test_diff_names_what_changed(kept: Kept) -> None:
    """Between two moments: what came, went and changed, of the keys that are asked for."""
    found = kept.yard.json("backups", "diff", "redis", "--at", kept.moment, "--and", "latest")

    assert (["0:job:2"], ["0:key:1"], ["0:job:1"]) == (found["came"], found["went"], found["changed"])
    found = kept.yard.json("backups", "diff", "redis", "--at", kept.moment, "--and", "latest", "--keys", "job:*")
    assert {"came": 1, "went": 0, "changed": 1} == found["counts"]


def test_verify_proves_and_notes_it(kept: Kept) -> None:
    """A running store's backups agree with what it says of itself; the time of the proof is shown."""
    found = kept.yard.json("backups", "verify", "redis")

    assert [] == found["faults"]
    assert {"0": 51} == found["proof"]["keys"]  # a key that ends within the hour is not compared
    assert "a sample of the server's keys" in found["proof"]["compared"]
    assert kept.yard.json("backups", "list", "redis")["proved_at"]


def test_some_keys_go_into_a_new_add_on(kept: Kept) -> None:
    """--keys restores these alone, with the ends that they had, or put off by --shift-ttl."""
    words = ("--at", kept.moment, "--keys", "[js]*", "--shift-ttl", "--into", "some")
    made = kept.yard.json("backups", "restore", "redis", *words)

    assert ({"0": 2}, ["some-store"]) == (made["keys"], [item["name"] for item in made["instances"]])
    with redis.Redis.from_url(kept.yard.url("some-store"), decode_responses=True) as app:
        assert "waits" == app.get("job:1")
        assert 900 < app.ttl("session") <= 1000


@pytest.mark.parametrize("user", ["default", "yard"])
def test_another_redis_takes_a_moment_if_it_is_empty(kept: Kept, server: Server, user: str) -> None:
    """--to fills any Redis: as its primary where that may be and it reads the dump, else by commands."""
    url = f"redis://{user}:{PASSWORDS[user]}@127.0.0.1:{server.port}"
    made = kept.yard.json("backups", "restore", "redis", "--at", kept.moment, "--to", url)
    fits = user == "yard" and server.engine.name == "valkey"
    assert ({"0": 52}, "replication" if fits else "commands") == (made["keys"], made["way"])
    assert "master" == server.admin("INFO", "replication")["role"]
    refused = kept.yard.error("backups", "restore", "redis", "--to", server.url)

    assert TargetNotEmpty.__name__ == refused["error"]
    assert PASSWORDS["default"] not in json.dumps(refused)


def test_export_writes_a_file_once(kept: Kept, tmp_path: Path) -> None:
    """A moment as lines of JSON; a file that is there is not written over, another ending is refused."""
    target = tmp_path / "moment.jsonl"
    assert 52 == kept.yard.json("backups", "export", "redis", "--at", kept.moment, "--to", str(target))["keys"]
    assert 52 == len(target.read_text().splitlines())

    assert TargetNotEmpty.__name__ == kept.yard.error("backups", "export", "redis", "--to", str(target))["error"]
    other = str(tmp_path / "moment.csv")
    assert InvalidValue.__name__ == kept.yard.error("backups", "export", "redis", "--to", other)["error"]
    assert [target] == list(tmp_path.iterdir())


def test_a_moment_is_opened_for_reading(kept: Kept) -> None:
    """`open` serves a moment until Ctrl-C: reads are answered, writes refused, nothing stays."""
    running = kept.yard.start("backups", "open", "redis", "--at", kept.moment, "--json")
    text = ""
    while not text.endswith("}\n"):
        text += running.stdout.readline()
    with redis.Redis.from_url(json.loads(text)["url"], decode_responses=True) as app:
        assert "waits" == app.get("job:1")
        with pytest.raises(redis.exceptions.NoPermissionError):
            app.set("job:1", "x")
    running.send_signal(signal.SIGINT)
    running.communicate()

    assert 130 == running.returncode


@pytest.mark.parametrize(
    ("words", "error"),
    [
        (("restore", "redis", "--at", "2020-01-01T00:00:00Z", "--into", "x"), MomentUnknown),
        (("restore", "redis", "--at", "2100-01-01T00:00:00Z", "--into", "x"), MomentUnknown),
        (("restore", "redis", "--at", "yesterday", "--into", "x"), InvalidValue),
        (("restore", "redis", "--before-flush", "--into", "x"), MomentUnknown),
        (("restore", "redis", "--into", "redis"), NameTaken),
        (("restore", "redis"), Usage),
        (("restore", "redis", "--shift-ttl", "--into", "x"), Usage),
        (("list", "redis", "--keys", "x"), Usage),
        (("nonsense", "redis"), Usage),
        (("import", "x"), Usage),
        (("diff", "redis"), Usage),
        (("list",), Usage),
        (("list", "s3://KEY:SECRET@bucket/path"), SecretInAddress),
        (("follow", "--to", "s3://bucket/path?aws_secret_access_key=SECRET"), NoURL),
        (("list", "nobody"), NoBackups),
        (("list", "/nowhere/at/all"), NoBackups),
    ],
)
def test_what_cannot_be_is_refused(kept: Kept, words: tuple[str, ...], error: type[Exception]) -> None:
    """One error of the table; nothing new is left behind, and no secret is told."""
    told = kept.yard.error("backups", *words)

    assert (error.__name__, False) == (told["error"], "SECRET" in json.dumps(told))
    assert not (kept.yard.home.instances / "x-store").exists()


def test_prune_says_what_would_go(kept: Kept) -> None:
    """Of what is younger than a week, nothing; what is too old is named first, and then gone."""
    assert [] == kept.yard.json("backups", "prune", "redis", "--dry-run")["objects"]
    old, later = (Base(at, 5, "0" * 16).name for at in (1000.0, 2000.0))  # the later could begin the first kept moment
    for name in (old, later):
        kept.storage.write(name, b"old")
        kept.storage.write(f"{name}.json", b"{}")

    assert [old] == kept.yard.json("backups", "prune", "redis", "--dry-run")["objects"]
    assert old in kept.storage.names()
    assert [old] == kept.yard.json("backups", "prune", "redis")["objects"]
    assert old not in kept.storage.names()
    discard(kept.storage, later)


def test_damage_is_named_and_half_of_nothing_restored(kept: Kept, tmp_path: Path) -> None:
    """A copy of the storage with a changed byte: verify names it, restore refuses it."""
    [*_, path] = sorted((kept.storage.root / "stream").glob("*.zst"))
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    try:
        refused = kept.yard.error("backups", "verify", str(kept.storage.root))
        assert (BackupDamaged.__name__, f"stream/{path.name}") == (refused["error"], refused["details"]["name"])
    finally:
        path.write_bytes(whole)


def test_a_redis_elsewhere_is_followed(secured: Secured, tmp_path: Path) -> None:
    """`follow` backs up any server, without a yard, until it is told to end; what was written is there then.

    A password on its command line is not in the process list; TLS is by the papers that the variables name.
    """
    secured.present(clients=True)
    yard, server = Sandbox(), secured.server
    papers = secured.environ(REDIS_CERT_FILE=secured.client_certificate())
    yard.environ |= papers | {"HOME": str(tmp_path), "REDIS_URL": ""}
    url = f"rediss://replication:{PASSWORDS['replication']}@127.0.0.1:{secured.port}"
    running = yard.start("backups", "follow", url, "--to", str(tmp_path / "kept"))
    storage = Directory(tmp_path / "kept")
    wait_until(lambda: storage.names("base/"), timeout=30)
    shown = Path(f"/proc/{running.pid}/cmdline").read_text()
    assert (False, True) == (PASSWORDS["replication"] in shown, "rediss://replication:***" in shown)
    server.admin("SET", "key", "1")
    wait_until(lambda: _acknowledged(server))
    running.send_signal(signal.SIGTERM)
    said = running.communicate()[1]

    assert 0 == running.returncode, said
    assert PASSWORDS["replication"] not in said
    found = yard.json("backups", "verify", str(tmp_path / "kept"))
    assert {"0": 1} == found["proof"]["keys"]
    yard.close()


def _acknowledged(server: Server) -> bool:
    facts = server.admin("INFO", "replication")
    return facts.get("slave0", {}).get("offset", -1) >= facts["master_repl_offset"] > 0


@pytest.mark.parametrize("user", ["yard", "default"])
def test_another_redis_is_imported(kept: Kept, own_server: Server, user: str) -> None:
    """A store follows the other Redis until it has everything; one that may not be followed is read key by key."""
    with redis.Redis.from_url(own_server.url) as app:
        app.mset({f"key:{number}": number for number in range(300)})
        app.rpush("list", *range(5000))
    url = f"redis://{user}:{PASSWORDS[user]}@127.0.0.1:{own_server.port}"
    made = kept.yard.json("backups", "import", f"from-{user}", "--from", url)

    assert (True, {"0": 301}) == (made["equal"], made["keys"])
    assert {"yard": "replication", "default": "commands"}[user] == made["way"]
    assert 301 == own_server.admin("DBSIZE")
    with redis.Redis.from_url(kept.yard.url(f"from-{user}-store")) as app:
        assert app.set("own", 1)
    kept.yard.json("remove", f"from-{user}", "--confirm", f"from-{user}")


def test_moments_are_read_in_any_zone(kept: Kept) -> None:
    """A moment has its zone; the same instant in another one is the same moment."""
    moment = int(latest(kept.storage).at) + 1
    wait_until(lambda: time.time() > moment)  # one that is yet to come cannot be restored
    local = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(moment)) + "+00:00"
    found = kept.yard.json("backups", "diff", "redis", "--at", local, "--and", "latest")

    assert {"came": 0, "went": 0, "changed": 0} == found["counts"]


@pytest.fixture
def one_server() -> Iterator[Server]:
    """A server of either engine."""
    with Server() as server:
        yield server


def test_a_redis_that_refuses_replicas_is_backed_up_and_restored(
    kept: Kept, one_server: Server, tmp_path: Path
) -> None:
    """`follow` says that it reads all keys instead; another server takes them by RESTORE, a new add-on too."""
    with redis.Redis.from_url(one_server.url) as app:
        app.mset({f"key:{number}": "x" * 100 for number in range(300)})
    one_server.admin("ACL", "SETUSER", "tenant", "reset", "on", ">secret", "~*", "+@all", "-psync", "-replconf")
    kept.yard.environ["HOME"] = str(tmp_path)
    url, place = f"redis://tenant:secret@127.0.0.1:{one_server.port}", str(tmp_path / "kept")
    running = kept.yard.start("backups", "follow", url, "--to", place, "--every", "1m")
    wait_until(lambda: Directory(Path(place)).names("logical/"), timeout=30)
    running.send_signal(signal.SIGTERM)
    said = running.communicate()[1]
    one_server.admin("FLUSHALL")
    made = kept.yard.json("backups", "restore", place, "--to", one_server.admin_url)

    assert "its keys are read now and then" in said
    assert (0, {"0": 300}, "restore") == (running.returncode, made["keys"], made["way"])
    assert round(made["size"] / made["seconds"]) == made["bytes_per_second"]
    assert "only these moments" in kept.yard.run("backups", "list", place).stdout
    again = kept.yard.json("backups", "restore", place, "--into", "hosted")
    one_server.admin("FLUSHALL")
    plain = kept.yard.json("backups", "restore", place, "--to", one_server.url)  # an app may not RESTORE
    assert ("commands", made["digest"]) == (plain["way"], plain["digest"])
    assert (made["digest"], ["hosted-store"]) == (again["digest"], [item["name"] for item in again["instances"]])
