"""One engine a directory, and no lock that outlives its engine: not even when it is killed while it saves."""

import os

import psutil
import pytest
import redis

from redyard.engine.lock import end_orphans, holders, leader, locked
from redyard.engine.process import Process, start_mark
from redyard.errors import DirectoryBusy
from tests.support.servers import Server
from tests.support.wait import wait_until

SAVES = [("BGSAVE", "rdb_bgsave_in_progress"), ("BGREWRITEAOF", "aof_rewrite_in_progress")]
KEYS = 2000


@pytest.fixture(params=SAVES, ids=[command for command, _ in SAVES])
def saving(own_server: Server, request: pytest.FixtureRequest) -> Server:
    """A store with KEYS keys whose save child is at work and will be for a minute."""
    save, progress = request.param
    with redis.Redis.from_url(own_server.admin_url) as admin, admin.pipeline(transaction=False) as many:
        for number in range(KEYS // 2):
            many.set(f"before:{number}", number)
        many.config_set("rdb-key-save-delay", 50000)
        many.execute_command(save)
        many.execute()
        wait_until(lambda: admin.info("persistence")[progress])
        for number in range(KEYS // 2):
            many.set(f"meanwhile:{number}", number)
        many.execute()
        wait_until(lambda: not admin.info("persistence")["aof_buffer_length"])  # a slow flush had it wait
    return own_server


def child_of(server: Server) -> int:
    """Freeze the save child of a store and return its number: left alone it ends soon after its engine."""
    child = psutil.Process(server.process.pid).children()[0]
    child.suspend()
    wait_until(lambda: child.status() == psutil.STATUS_STOPPED)
    return child.pid


def values(server: Server) -> dict[bytes, bytes]:
    """Return everything a store has."""
    with redis.Redis.from_url(server.admin_url) as admin:
        keys = admin.keys("*")
        return dict(zip(keys, admin.mget(keys), strict=True))


def test_second_engine_is_refused(own_server):
    """A second engine in the directory is refused with the first one's number, and the first goes on."""
    with pytest.raises(DirectoryBusy, match=rf"process {own_server.process.pid}\b"):
        own_server.seat.spawn(own_server.engine)

    assert own_server.answers()


def test_lock_has_one_holder(tmp_path):
    """Who asks for a lock that is held is refused; it is free again afterwards."""
    with locked(tmp_path / "lock"), pytest.raises(DirectoryBusy), locked(tmp_path / "lock"):
        pass
    with locked(tmp_path / "lock"):
        free_again = True

    assert free_again


def test_lock_ends_with_a_killed_engine(own_server):
    """An engine that was killed with -9 leaves no lock."""
    own_server.kill()
    with locked(own_server.seat.lock):
        mine = holders(own_server.seat.lock)

    assert [] == mine


def test_engine_holds_the_lock(own_server):
    """The engine alone has the lock in its hands: not the one who started it."""
    assert [own_server.process.pid] == holders(own_server.seat.lock)


def test_leader_is_the_engine(saving):
    """The engine is told from its save child, which holds the lock too."""
    found = leader(saving.seat.lock)
    found.close()

    assert sorted([saving.process.pid, child_of(saving)]) == sorted(holders(saving.seat.lock))
    assert (saving.process.pid, saving.process.mark) == (found.pid, found.mark)


def test_nobody_leads_an_orphan(saving):
    """The save child of a dead engine is not taken for an engine."""
    child = child_of(saving)
    saving.kill()

    assert ([child], None) == (holders(saving.seat.lock), leader(saving.seat.lock))


def test_child_of_a_living_engine_is_never_ended(saving):
    """While the engine lives its save child is left alone."""
    child = child_of(saving)

    assert ([], True) == (end_orphans(saving.seat.lock), start_mark(child) is not None)


def test_second_engine_is_refused_while_the_first_saves(saving):
    """A start beside a living engine ends neither it nor its save child."""
    child = child_of(saving)
    with pytest.raises(DirectoryBusy, match=str(saving.process.pid)):
        saving.seat.spawn(saving.engine)

    assert (True, True) == (saving.answers(), start_mark(child) is not None)


def test_orphan_is_ended(saving):
    """The save child of a dead engine is ended, and its lock is free when that is said."""
    child = child_of(saving)
    saving.kill()
    ended = end_orphans(saving.seat.lock)
    with locked(saving.seat.lock):
        living = start_mark(child)

    assert ([child], None) == (ended, living)


def test_start_after_a_kill_in_mid_save(saving):
    """An engine killed while it saved starts again at once, has every key, and leaves no temporary file."""
    child = Process.find(child_of(saving))
    saving.restart()
    orphan = child.alive()
    child.close()
    left = [path for path in saving.seat.data.rglob("*") if path.name.startswith("temp-")]
    wanted = {f"{when}:{number}": number for when in ("before", "meanwhile") for number in range(KEYS // 2)}

    assert (False, []) == (orphan, left)
    assert {key.encode(): b"%d" % value for key, value in wanted.items()} == values(saving)


def test_nobody_holds_a_lock_that_was_never_taken(tmp_path):
    """A file that nobody has open has no holder, no leader and no orphan."""
    path = tmp_path / "lock"
    path.touch()

    assert ([], None, []) == (holders(path), leader(path), end_orphans(path))


def test_lock_is_not_inherited_by_chance(tmp_path):
    """A process that is started while the lock is held does not get it, unless it is given it."""
    with locked(tmp_path / "lock") as handle:
        inheritable = os.get_inheritable(handle)

    assert not inheritable
