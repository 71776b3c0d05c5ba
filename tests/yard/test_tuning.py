"""Settings of engines: shown with reasons, changed for good or not at all."""

import json
import signal

import pytest
import redis

from redyard.engine import access, directives
from redyard.errors import EngineSilent, NameNeeded, NotRunning, SettingRefused, SettingUnsafe
from tests.support.wait import wait_until
from tests.support.yards import Sandbox

STORE = "redis-store"


@pytest.fixture(scope="module")
def yard() -> Sandbox:
    """A yard with an add-on, for tests that leave its settings as they found them."""
    sandbox = Sandbox()
    sandbox.json("add", "redis")
    yield sandbox
    sandbox.close()


def live(yard: Sandbox, setting: str, name: str = STORE) -> str:
    """Return what the engine itself says."""
    passwords = json.loads((yard.home.instances / name / "secrets.json").read_text())
    generation = json.loads((yard.home.instances / name / "spec.json").read_text())["generation"]
    path = yard.home.runtime / f"{name}.{generation}.sock"
    user = access.YARD.name
    with redis.Redis(
        unix_socket_path=str(path), username=user, password=passwords[user], decode_responses=True
    ) as admin:
        return admin.config_get(setting)[setting]


def rows(yard: Sandbox, name: str) -> dict[str, dict]:
    """Return what `config show` says of an instance, by setting."""
    return {row["setting"]: row for row in yard.calls.settings(name)["instances"][0]["settings"]}


@pytest.mark.parametrize("name", ["redis-store", "redis-cache"])
def test_every_row_is_shown_as_it_is(yard, name):
    """Each setting of the table has its value, which is Redyard's, its reason, and what the guide had."""
    shown = rows(yard, name)

    assert [row.name for row in directives.TABLE] == list(shown)
    assert [] == [row for row in shown.values() if row["value"] != row["redyard"] or row["loses"] or not row["why"]]
    assert "300" == shown["timeout"]["guide"]


def test_value_survives_restarts(yard):
    """A value counts at once, after a restart of the engine, and after one of the yard; `reset` takes it back."""
    done = yard.run("config", "set", STORE, "timeout", "30", "--force")
    yard.calls.restart("redis")
    after_engine = live(yard, "timeout")
    yard.calls.down()
    yard.json("up", "--detach")
    after_yard, shown = live(yard, "timeout"), rows(yard, STORE)["timeout"]
    yard.calls.reset(STORE, "timeout")

    assert 0 == done.returncode, done.stderr
    assert "redyard config reset redis-store timeout" in done.stdout
    assert ["30", "30", "0"] == [after_engine, after_yard, live(yard, "timeout")]
    assert (True, "0", "idle connections") == (shown["set_by_you"], shown["redyard"], shown["loses"][:16])
    assert not rows(yard, STORE)["timeout"]["set_by_you"]


@pytest.mark.parametrize(
    ("setting", "value", "kept"),
    [
        ("save", "900 1 300 10", "900 1 300 10"),
        ("client-output-buffer-limit", "pubsub 64mb 16mb 30", "pubsub 67108864 16777216 30"),
        ("notify-keyspace-events", "Ex", "xE"),
        ("proto-max-bulk-len", "1gb", "1073741824"),
    ],
)
def test_values_of_every_form_survive(yard, setting, value, kept):
    """Several words, sizes, and settings that are not in the table are read again at the next start."""
    yard.calls.set(STORE, setting, value)
    yard.calls.restart(STORE)

    assert kept in live(yard, setting)
    yard.calls.reset(STORE, setting)


@pytest.mark.parametrize(
    ("setting", "value", "reason"),
    [
        ("timeout", "-1", "between 0 and"),
        ("timeout", "soon", "integer"),
        ("maxmemory-samples", "0", "between 1 and"),
        ("maxmemory-policy", "random", "one of the following"),
        ("maxmemory-polcy", "noeviction", "it has maxmemory-policy"),
        ("no-such-thing", "1", "no such setting"),
        ("*", "1", "no such setting"),
        ("maxmemory", "1gb", "belongs to the plan"),
        ("appendonly", "no", "belongs to the role"),
        ("requirepass", "s3cret", "who may in"),
        ("port", "1", "where it is"),
        ("databases", "4", "belongs to the plan"),
    ],
)
def test_value_that_cannot_be_is_refused(yard, setting, value, reason):
    """Out of range, of no such setting, or not the owner's to set: the engine and the spec stay as they were."""
    before = (yard.home.instances / STORE / "spec.json").read_bytes()
    with pytest.raises(SettingRefused, match=reason) as caught:
        yard.calls.set(STORE, setting, value, force=True)

    assert 106 == caught.value.status
    assert "s3cret" not in json.dumps(caught.value.to_json())
    assert before == (yard.home.instances / STORE / "spec.json").read_bytes()


@pytest.mark.parametrize(
    ("setting", "value", "loss"),
    [
        ("maxmemory-policy", "allkeys-lru", "evicted 62 of 3,000 jobs"),
        ("timeout", "300", "idle connections"),
        ("appendfsync", "no", "half a minute of writes"),
        ("stop-writes-on-bgsave-error", "yes", "all writes"),
        ("maxmemory-clients", "0", "80 replies"),
        ("tcp-keepalive", "0", "whose machine is gone"),
    ],
)
def test_unsafe_value_is_explained_and_needs_force(yard, setting, value, loss):
    """It says what would be lost and why ours is another; without --force nothing is changed."""
    before = live(yard, setting)
    with pytest.raises(SettingUnsafe, match=loss) as caught:
        yard.calls.set(STORE, setting, value)

    assert directives.lookup(setting).why in caught.value.remedy
    assert before == live(yard, setting)


@pytest.mark.parametrize(
    ("name", "setting", "value"),
    [(STORE, "appendfsync", "always"), ("redis-cache", "maxmemory-policy", "allkeys-lfu"), (STORE, "save", "")],
)
def test_value_that_loses_nothing_needs_no_force(yard, name, setting, value):
    """Another value is not worse for being another."""
    changed = yard.calls.set(name, setting, value)

    assert (value, None) == (changed["value"], changed["loses"])
    yard.calls.reset(name, setting)


def test_one_instance_is_changed_at_a_time(yard):
    """An add-on of two is no single engine: half of a change would be left when the second refuses."""
    with pytest.raises(NameNeeded, match="redis-store, redis-cache"):
        yard.calls.set("redis", "timeout", "0")


def test_stopped_engine_judges_nothing(yard):
    """The engine itself says whether a value can be, so it must run."""
    yard.calls.stop("redis-cache")
    with pytest.raises(NotRunning):
        yard.calls.set("redis-cache", "timeout", "0")
    yard.calls.start("redis-cache")


def test_silent_engine_is_named(yard):
    """An engine that does not answer is the engine's trouble, not a fault of ours."""
    process = yard.process("redis-cache")
    process.send(signal.SIGSTOP)
    try:
        with pytest.raises((EngineSilent, NotRunning)):
            yard.calls.set("redis-cache", "timeout", "0")
        shown = yard.calls.settings("redis-cache")["instances"][0]["settings"]
    finally:
        process.send(signal.SIGCONT)
        process.close()
    wait_until(lambda: yard.phase("redis-cache") == "running")

    assert {None} == {row["value"] for row in shown}


def test_person_sees_reasons(yard):
    """`config show` is a table of values, origins, reasons and the guide's values."""
    said = yard.run("config", "show", "redis").stdout

    assert [] == [
        word for word in ("SETTING", "GUIDE", "noeviction", "allkeys-lru", "Redyard", "900 1") if word not in said
    ]


@pytest.mark.parametrize(
    "arguments", [("show", STORE, "timeout"), ("set", STORE, "timeout"), ("reset", STORE), ("wipe", STORE)]
)
def test_wrong_words_are_usage(yard, arguments):
    """What the action does not take is a wrong command line."""
    assert 2 == yard.run("config", *arguments).returncode
