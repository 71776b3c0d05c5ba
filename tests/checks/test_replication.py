"""Problems of replication and of a cluster, each made on real engines."""

from functools import partial

import pytest
import redis

from redyard.doctor import look_at_memory
from tests.support.odd import diagnose, settle


def pair(odd, *words):
    """Start a primary and a replica that follows it."""
    primary = odd("--repl-diskless-sync-delay", 0)
    replica = odd("--replicaof", f"127.0.0.1 {primary.port}", *words)
    settle(lambda: replica.client().info("replication")["master_link_status"] == "up")
    return primary, replica


async def test_apps_write_to_a_replica(odd):
    """P58: the primary is named; the examination itself writes nothing there."""
    primary, replica = pair(odd)
    quiet = await diagnose(replica)
    with pytest.raises(redis.ReadOnlyError):
        replica.do("SET", "a", 1)
    found = await diagnose(replica)

    assert set() == quiet.alarms
    assert {"P58"} == found.alarms
    assert f"127.0.0.1:{primary.port}" in found["P58"].remedy


async def test_a_replica_without_its_primary(odd):
    """P59: with stale reads and without."""
    for words in ((), ("--replica-serve-stale-data", "no")):
        primary, replica = pair(odd, *words)
        primary.stop()
        settle(partial(_lost, replica))
        found = await diagnose(replica)

        assert {"P59"} == found.alarms


def _lost(server):
    with server.client() as client:
        return client.info("replication")["master_link_status"] == "down"


async def test_too_few_replicas(odd):
    """P60: writes wait for one that is not there."""
    found = await diagnose(odd("--min-replicas-to-write", 1))

    assert {"P60"} == found.alarms
    assert "min-replicas-to-write 0" in found["P60"].remedy


@pytest.mark.soak
async def test_a_replica_that_lags(odd):
    """P61: seconds and bytes."""
    primary, replica = pair(odd)
    settle(lambda: primary.client().info("replication")["slave0"]["state"] == "online")
    replica.freeze()
    with primary.client() as client:
        for _ in range(3):
            client.set("big", "x" * 1_000_000)
    settle(lambda: primary.client().info("replication")["slave0"]["lag"] >= 3)
    found = await diagnose(primary)

    assert {"P61"} == found.alarms


async def test_a_cluster_that_is_down(odd):
    """P62: nobody serves the slots."""
    found = await diagnose(odd("--cluster-enabled", "yes"))

    assert {"P62"} == found.alarms


async def test_an_app_that_knows_nothing_of_clusters(odd):
    """P62: keys of one command in several slots, or a database."""
    server = odd("--cluster-enabled", "yes")
    server.do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    settle(lambda: server.client().cluster("INFO")["cluster_state"] == "ok")
    healthy = await diagnose(server)
    with pytest.raises(redis.ResponseError):
        server.do("MSET", "a", 1, "b", 2)
    crossed = await diagnose(server)
    database = await diagnose(server.url(3))

    assert set() == healthy.alarms
    assert {"P62"} == crossed.alarms
    assert {"P62"} == database.alarms


async def test_nodes_of_a_cluster(odd):
    """One does not answer any more, a slot was left half moved, some are nobody's; a healthy one is looked at whole."""
    words = ("--cluster-enabled", "yes", "--cluster-node-timeout", 300, "--cluster-require-full-coverage", "no")
    first, second = [odd(*words) for _ in range(2)]
    first.do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
    first.do("CLUSTER", "MEET", "127.0.0.1", second.port, second.bus)
    settle(lambda: len(first.client().cluster("NODES")) == len(second.client().cluster("NODES")) == 2)
    settle(lambda: first.client().cluster("INFO")["cluster_state"] == "ok")
    for number in range(40):
        first.do("SET", f"cart:{number}", number)
    well, memory = await diagnose(first), await look_at_memory(first.url())
    first.do("CLUSTER", "SETSLOT", 7, "MIGRATING", second.do("CLUSTER", "MYID"))
    second.stop()
    settle(lambda: "fail" in str([node["flags"] for node in first.client().cluster("NODES").values()]))
    found = await diagnose(first)
    first.do("CLUSTER", "DELSLOTSRANGE", 16001, 16383)
    bare = await diagnose(first)

    assert (set(), 40) == (well.alarms, memory.keys)
    assert {"nodes"} == found.alarms
    assert f"127.0.0.1:{second.port}" in found["nodes"].evidence["CLUSTER NODES"]
    assert "7" == found["half-moved"].evidence["slots"]
    assert {"P62"} == bare.alarms
    assert (16001, 16384) == (bare["P62"].evidence["slots served"], bare["P62"].evidence["of"])


def _copied(primary, times):
    return int(primary.client().info("stats")["sync_full"]) >= times


@pytest.mark.soak
async def test_replicas_that_copy_everything_again(odd):
    """What they miss in a short cut is no longer kept."""
    primary, replica = pair(odd, "--repl-backlog-size", "16kb")
    primary.do("CONFIG", "SET", "repl-backlog-size", "16kb")
    for turn in range(5):
        settle(lambda: replica.client().info("replication")["master_link_status"] == "up")
        with primary.client() as client:
            pipe = client.pipeline(transaction=True)
            pipe.execute_command("CLIENT", "KILL", "TYPE", "replica")
            pipe.set(f"big:{turn}", "x" * 100_000)
            pipe.execute()
        settle(partial(_copied, primary, turn + 2))
    found = await diagnose(primary)

    assert "copied-anew" in found.alarms
    assert "repl-backlog-size" in found["copied-anew"].remedy
