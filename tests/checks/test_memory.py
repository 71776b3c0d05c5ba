"""Problems of memory, each made on a real engine."""

import pytest

from redyard.checks import Facts
from tests.support.odd import diagnose, settle

MB = 1024 * 1024
FILL = "for i = 1, tonumber(ARGV[2]) do redis.call('SET', ARGV[1] .. i, string.rep('x', tonumber(ARGV[3]))) end"


def fill(server, prefix, count, size, database=0):
    """Set so many keys."""
    server.do("EVAL", FILL, 0, prefix, count, size, database=database)
    server.do("SLOWLOG", "RESET")


async def test_memory_is_full(odd):
    """P29: writes are refused; the prefix that holds most is named."""
    server = odd("--maxmemory", "8mb", "--maxmemory-policy", "noeviction")
    with server.client() as client:
        pipe = client.pipeline(transaction=False)
        for number in range(300):
            pipe.set(f"shop:{number}", "x" * 50_000)
        pipe.execute(raise_on_error=False)
    found = await diagnose(server)

    assert {"P29"} == found.alarms
    assert "shop:*" in found["P29"].cause
    assert "CONFIG SET maxmemory 16777216" in found["P29"].remedy


async def test_a_store_that_is_nearly_full(odd):
    """P29: before it is too late."""
    server = odd("--maxmemory-policy", "noeviction")
    fill(server, "key:", 2000, 10_000)
    server.do("CONFIG", "SET", "maxmemory", int(1.07 * server.client().info("memory")["used_memory"]))
    found = await diagnose(server)

    assert {"P29"} == found.alarms
    assert "nearly-full" == found["P29"].check


async def test_jobs_on_a_server_that_evicts(odd):
    """P30: jobs are lost without a word; what was lost is counted where it can be."""
    server = odd("--maxmemory", "8mb", "--maxmemory-policy", "allkeys-lru")
    with server.client() as client:
        for number in range(50):
            client.hset(f"bull:mail:{number}", mapping={"data": "{}"})
            client.lpush("bull:mail:wait", number)
        client.delete("bull:mail:7", "bull:mail:8")
    found = await diagnose(server)

    assert "P30" in found.alarms
    assert 2 == found["P30"].evidence["jobs without data"]
    assert "CONFIG SET maxmemory-policy noeviction" in found["P30"].remedy


async def test_no_limit_in_a_small_container(odd):
    """P31: where the container's limit is known it is a warning, else a remark."""
    server = odd()
    small = await diagnose(server, facts=Facts(memory_limit=512 * MB))
    unknown = await diagnose(server)

    assert {"P31"} == small.alarms
    assert "P31" in unknown
    assert set() == unknown.alarms


async def test_no_room_for_a_save(odd):
    """P32: what was copied while it saved, and what it holds, are over the limit; so is what it was promised."""
    server = odd("--rdb-key-save-delay", 300)
    fill(server, "key:", 3000, 4000)
    server.do("BGSAVE")
    server.do("EVAL", "for i = 1, 3000 do redis.call('SETRANGE', 'key:' .. i, 0, 'changed') end", 0)
    server.do("SLOWLOG", "RESET")
    settle(lambda: not int(server.client().info("persistence")["rdb_bgsave_in_progress"]))
    info = server.client().info()
    limit = info["used_memory"] + info["rdb_last_cow_size"] // 2
    server.do("CONFIG", "SET", "maxmemory", "100mb")
    found = await diagnose(server, facts=Facts(memory_limit=limit))

    assert {"P32", "promised"} == found.alarms


async def test_the_settings_of_the_system(odd):
    """P33: they are told as a remark, from this machine's own files."""
    found = await diagnose(odd())
    seen = found.examination.case.facts

    assert ("P33" in found) == (seen.overcommit == "0" or seen.huge_pages == "always")
    assert set() == found.alarms


async def test_a_big_key(odd):
    """P35: its name and its size."""
    server = odd()
    server.do("EVAL", "for i = 1, 300000 do redis.call('SADD', 'followers', 'member' .. i) end", 0)
    server.do("SLOWLOG", "RESET")
    found = await diagnose(server)

    assert {"P35"} == found.alarms
    assert "followers" == found["P35"].evidence["key"]


async def test_sessions_without_an_end(odd):
    """P36: keys that are to end and do not; with an end they are no finding."""
    server = odd()
    fill(server, "session:", 40, 10)
    found = await diagnose(server, facts=Facts(role=""))
    server.do("EVAL", "for i = 1, 40 do redis.call('EXPIRE', 'session:' .. i, 1000) end", 0)
    ended = await diagnose(server, facts=Facts(role="cache"))

    assert "P36" in found.alarms
    assert "P36" not in ended


async def test_scripts_pile_up(odd):
    """P38: a text for each value."""
    server = odd()
    with server.client() as client:
        pipe = client.pipeline(transaction=False)
        for number in range(2000):
            pipe.execute_command("EVAL", f"return {number}", 0)
        pipe.execute()
    found = await diagnose(server)

    assert {"P38"} == found.alarms


async def test_finished_jobs_are_kept(odd):
    """P39: the queue is named."""
    server = odd("--appendonly", "yes")
    server.do("EVAL", "for i = 1, 12000 do redis.call('ZADD', 'bull:mail:completed', i, i) end", 0)
    server.do("SLOWLOG", "RESET")
    found = await diagnose(server)

    assert {"P39"} == found.alarms
    assert "mail" == found["P39"].evidence["queue"]


@pytest.mark.soak
async def test_fragmentation(odd, engine):
    """P37: most of many keys were deleted; with libc's allocator nothing is claimed."""
    server = odd()
    fill(server, "key:", 200_000, 1200)
    server.do("EVAL", "for i = 1, 200000 do if i % 10 > 0 then redis.call('DEL', 'key:' .. i) end end", 0)
    server.do("SLOWLOG", "RESET")
    settle(lambda: int(server.client().info("memory")["used_memory"]) < 60 * MB)
    jemalloc = "jemalloc" in server.client().info("memory")["mem_allocator"]
    if jemalloc:
        settle(lambda: float(server.client().info("memory")["mem_fragmentation_ratio"]) > 1.5)
    found = await diagnose(server)

    assert jemalloc == ("P37" in found.alarms)
