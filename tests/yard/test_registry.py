"""The instances on the disk: what was written is read, and what is damaged is named."""

import os
import stat
from pathlib import Path

import msgspec
import pytest

from redyard.engine.directives import Limits
from redyard.errors import StateUnreadable
from redyard.yard.credentials import generate
from redyard.yard.home import Home
from redyard.yard.phases import Phase
from redyard.yard.registry import Registry
from redyard.yard.spec import Spec, Status

DAMAGE = [b"", b"{", b"null", b"[]", b'{"name": 1}', b'{"name": "\xff"}', b"\x00\xff"]


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    """The files of a yard without instances."""
    home = Home(tmp_path / "yard", tmp_path / "run")
    home.instances.mkdir(parents=True)
    home.runtime.mkdir()
    return Registry(home)


def spec(name: str = "redis-store", **changes: object) -> Spec:
    """Return what is wanted of an instance."""
    store = Spec(
        name=name,
        addon="redis",
        role="store",
        plan="256mb",
        memory=2**28,
        connections=100,
        databases=16,
        port=17000,
        created_at=1.5,
    )
    return msgspec.structs.replace(store, **changes)


def test_spec_is_read_again(registry):
    """What is wanted of an instance survives."""
    registry.create(spec(), generate())

    assert [spec()] == Registry(registry.home).specs()


def test_change_of_a_spec_is_read_again(registry):
    """What is wanted can change."""
    registry.create(spec(), generate())
    registry.write_spec(spec(wanted="stopped"))

    assert ["stopped"] == [each.wanted for each in registry.specs()]


def test_instances_are_in_the_order_they_were_made(registry):
    """The oldest is first, and of an add-on the store."""
    for each in (
        spec("b-cache", role="cache", created_at=1.0),
        spec("b-store", created_at=1.0),
        spec("a", created_at=2.0),
        spec("z", created_at=0.5),
    ):
        registry.create(each, generate())

    assert ["z", "b-store", "b-cache", "a"] == [each.name for each in registry.specs()]


def test_limits_are_the_spec_s():
    """What an instance may use is in its spec, so that a plan that changes later does not change it."""
    assert Limits(2**28, 100, 16) == spec().limits


def test_passwords_are_read_again(registry):
    """The passwords survive."""
    passwords = generate()
    registry.create(spec(), passwords)

    assert passwords == registry.passwords("redis-store")


def test_status_is_read_again(registry):
    """What was seen survives."""
    registry.create(spec(), generate())
    status = Status(phase=Phase.RUNNING, reason="it answers", since=1.0, pid=1, mark="m", run_id="r", crashes=2)
    registry.write_status("redis-store", status)

    assert status == registry.status("redis-store")


def test_files_are_private_and_readable(registry):
    """Each file is its owner's alone and is indented for people."""
    registry.create(spec(), generate())
    registry.write_status("redis-store", Status())
    directory = registry.directory("redis-store")
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in directory.iterdir()}

    assert dict.fromkeys(["secrets.json", "spec.json", "status.json"], 0o600) == files
    assert 0o700 == stat.S_IMODE(directory.stat().st_mode)
    assert '\n  "name": "redis-store",\n' in (directory / "spec.json").read_text()


def test_missing_status_is_a_new_one(registry):
    """An instance of which nothing was seen yet is stopped."""
    registry.create(spec(), generate())

    assert Status() == registry.status("redis-store")


NOISE = [b"", b"{", b"null", b'{"phase": "new"}', b"\x00\xff", b'{"reason": "\xff"}']


@pytest.mark.parametrize("damage", NOISE, ids=ascii)
def test_damaged_status_is_forgiven(registry, damage):
    """A status that cannot be read only means that all must be found out again."""
    registry.create(spec(), generate())
    (registry.directory("redis-store") / "status.json").write_bytes(damage)

    assert Status() == registry.status("redis-store")


@pytest.mark.parametrize("damage", DAMAGE, ids=ascii)
def test_damaged_spec_is_named(registry, damage):
    """A spec that cannot be read is an error that names the file."""
    registry.create(spec(), generate())
    path = registry.directory("redis-store") / "spec.json"
    path.write_bytes(damage)
    with pytest.raises(StateUnreadable) as unreadable:
        registry.specs()

    assert str(path) == unreadable.value.details["path"]


@pytest.mark.parametrize("damage", DAMAGE, ids=ascii)
def test_damaged_secrets_are_named(registry, damage):
    """Secrets that cannot be read are an error that names the file and shows none of it."""
    registry.create(spec(), generate())
    path = registry.directory("redis-store") / "secrets.json"
    path.write_bytes(damage)
    with pytest.raises(StateUnreadable) as unreadable:
        registry.passwords("redis-store")

    assert str(path) == unreadable.value.details["path"]


def test_missing_secrets_are_named(registry):
    """Secrets that are gone are an error with the system's reason."""
    with pytest.raises(StateUnreadable, match=r"secrets\.json cannot be read: No such file"):
        registry.passwords("redis-store")


def test_removal_leaves_nothing(registry):
    """A removed instance leaves neither files nor a socket, and may be removed twice."""
    registry.create(spec(), generate())
    registry.seat("redis-store", 1).socket.touch()
    registry.remove("redis-store")
    registry.remove("redis-store")

    assert ([], []) == (os.listdir(registry.home.instances), os.listdir(registry.home.runtime))


def test_half_made_instance_is_no_instance(registry):
    """A directory without a spec is not taken for an instance."""
    (registry.home.instances / "half").mkdir()

    assert [] == registry.specs()


def test_unfinished_is_remembered(registry):
    """What a command began is known until it has finished, also by the next yard."""
    before = list(registry.unfinished())
    registry.begin({"b", "a"})
    between = list(Registry(registry.home).unfinished())
    registry.finish()
    registry.finish()

    assert ([], ["a", "b"], []) == (before, between, list(registry.unfinished()))


def test_damaged_list_of_the_unfinished_is_named(registry):
    """A list of the unfinished that cannot be read is an error that names it: it must not be ignored."""
    registry.home.unfinished.write_text("{")
    with pytest.raises(StateUnreadable, match=r"unfinished\.json"):
        registry.unfinished()
