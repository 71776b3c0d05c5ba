"""What a change would mean is worked out beforehand: figures in, a way or a refusal out."""

import msgspec
import pytest

from redyard.engine.directives import Limits
from redyard.engine.find import Engine
from redyard.errors import DoesNotFit, NoMemory, PauseNeeded, WouldEvict
from redyard.reading import Reading
from redyard.yard import changes
from redyard.yard.changes import Machine
from redyard.yard.spec import Spec

MB = 1 << 20
ROOMY = Machine(memory=8000 * MB, disk=80_000 * MB)


def spec(role: str = "store", memory: int = 512 * MB) -> Spec:
    """Return what is wanted of an instance."""
    return Spec(
        name=f"redis-{role}",
        addon="redis",
        role=role,
        plan="512mb",
        memory=memory,
        connections=200,
        databases=16,
        port=17000,
        created_at=1.5,
    )


def reading(used: int, *, rss: int = 0, keys: int = 1000, version: str = "9.1.2", engine: str = "valkey") -> Reading:
    """Return what an engine says that uses so many bytes."""
    said = Reading.parse({"used_memory": used, "used_memory_rss": rss or used, "db0": {"keys": keys}})
    return msgspec.structs.replace(said, engine=engine, version=version)


def engine(name: str, version: str) -> Engine:
    """Return an engine's program."""
    return Engine(f"/usr/bin/{name}-server", name, version, tls=False, script_flags=True)


def test_more_memory_is_given_in_place():
    """A larger plan needs no other process."""
    change = changes.scale(spec(), ("1gb", Limits(1024 * MB, 300, 16)), reading(400 * MB), ROOMY)

    assert ("in place", 0, 0.0) == (change.way, change.memory_needed, change.pause)


def test_memory_that_is_held_is_given_back_by_a_move():
    """A smaller plan moves where the process holds more than it may have; else it is set."""
    small = ("256mb", Limits(256 * MB, 100, 16))

    assert "move" == changes.scale(spec(), small, reading(50 * MB, rss=400 * MB), ROOMY).way
    assert "in place" == changes.scale(spec(), small, reading(50 * MB, rss=60 * MB), ROOMY).way
    assert "move" == changes.scale(spec(), small, reading(50 * MB), ROOMY, moves=True).way


def test_a_store_that_does_not_fit_is_refused_whatever_is_allowed():
    """No option makes a store drop what it holds."""
    change = changes.scale(spec(), ("256mb", Limits(256 * MB, 100, 16)), reading(300 * MB), ROOMY)

    with pytest.raises(DoesNotFit, match=r"300mb .*256mb"):
        changes.check(change, "store", evict=True)


def test_a_cache_says_how_many_keys_would_go():
    """Half of the bytes beyond the limit is half of the keys, and they go only when that was allowed."""
    small = ("256mb", Limits(256 * MB, 100, 16))
    change = changes.scale(spec("cache"), small, reading(512 * MB, keys=1000), ROOMY)

    with pytest.raises(WouldEvict, match="about 500 of its keys"):
        changes.check(change, "cache", evict=False)
    assert changes.check(change, "cache", evict=True) is None


@pytest.mark.parametrize(
    ("machine", "what"), [(Machine(100 * MB, 80_000 * MB), "memory"), (Machine(8000 * MB, 100 * MB), "disk")]
)
def test_a_machine_without_room_is_told_what_is_missing(machine, what):
    """A move needs the data's memory and disk a second time; the error has both figures."""
    change = changes.scale(spec(), ("1gb", Limits(1024 * MB, 300, 16)), reading(400 * MB), machine, moves=True)

    with pytest.raises(NoMemory, match=f"of {what} .* 100mb free"):
        changes.check(change, "store")


def test_a_restart_without_room_stops_and_says_for_how_long():
    """Without room for two, the engine stops, and the pause is what reading its data takes."""
    change = changes.replace(spec(), engine("valkey", "9.1.2"), reading(170 * MB), Machine(100 * MB, 80_000 * MB))

    assert "stop and start" == change.way
    assert 2.0 < change.pause < 2.6


@pytest.mark.parametrize(
    ("old", "new", "follows"),
    [
        (("redis", "7.0.15"), ("valkey", "9.1.2"), True),
        (("redis", "7.2.4"), ("valkey", "8.1.0"), True),
        (("redis", "7.4.0"), ("valkey", "9.1.2"), False),
        (("redis", "7.0.15"), ("redis", "8.0.0"), True),
        (("redis", "8.0.0"), ("redis", "7.0.15"), False),
        (("valkey", "8.1.0"), ("valkey", "9.1.2"), True),
        (("valkey", "9.1.2"), ("valkey", "8.1.0"), False),
        (("valkey", "9.1.2"), ("redis", "7.0.15"), False),
    ],
)
def test_who_can_follow_whom(old, new, follows):
    """Valkey reads its own dumps and those of Redis up to 7.2; Redis its own, none of a newer form."""
    said = reading(50 * MB, engine=old[0], version=old[1])
    change = changes.replace(spec(), engine(*new), said, ROOMY)

    assert ("move" if follows else "move by the log") == change.way
    if not follows:
        with pytest.raises(PauseNeeded, match=f"{new[0]} {new[1]} cannot follow {old[0]} {old[1]}"):
            changes.check(change, "store", pause=False)
