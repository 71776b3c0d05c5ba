"""What a server tells, by redis_exporter's names."""

import re
from contextlib import suppress

import pytest
from redis.exceptions import ResponseError

from redyard.metrics import KIT, TABLE, labelled, render, samples
from redyard.metrics.look import look, look_at_slow
from redyard.metrics.sources import number
from tests.support.clients import client

LINE = re.compile(r'[a-z_]+(\{([a-z_]+="[^"\n]*",?)+\})? -?[0-9.e+-]+')
ABSENT = {
    "redis_master_link_up",
    "redis_master_last_io_seconds_ago",
    "redis_master_sync_in_progress",
    "redis_connected_slave_lag_seconds",
    "redis_connected_slave_offset_bytes",
}
"""What only a replica, or a primary with one, tells."""
OF_VALKEY = {
    "redis_active_time_main_thread_seconds_total",
    "redis_client_output_buffer_limit_disconnections_total",
    "redis_watching_clients",
    "redis_acl_access_denied_auth_total",
    "redis_acl_access_denied_cmd_total",
    "redis_acl_access_denied_key_total",
    "redis_acl_access_denied_channel_total",
    "redis_pubsub_clients",
}


async def text_of(redis):
    return render(samples(await look(redis) | await look_at_slow(redis)))


def values(text):
    return dict(line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))


async def use(redis):
    """Do a bit of everything that a metric tells of."""
    await redis.set("key", "1", ex=100)
    await redis.get("key")
    await redis.get("none")


async def test_every_metric_of_the_table_comes_from_a_real_server(own_server):
    """Of each engine; what only the other one tells is left out, never a zero."""
    async with client(own_server.admin_url) as redis:
        await use(redis)
        await redis.config_set("slowlog-log-slower-than", 0)
        await redis.get("key")
        with suppress(ResponseError):
            await redis.execute_command("NO-SUCH-COMMAND")
        found = {sample.metric.name for sample in samples(await look(redis) | await look_at_slow(redis))}
    missing = {row.name for row in TABLE} - found - ABSENT

    assert missing <= (set() if own_server.engine.name == "valkey" else OF_VALKEY)


async def test_the_text_is_well_formed(redis):
    """Each name has its help and its kind once, and then its samples together."""
    await use(redis)
    text = await text_of(redis)
    heads = re.findall(r"# TYPE (\S+) (\S+)\n", text)
    names = [re.split(r"[{ ]", line)[0] for line in text.splitlines() if not line.startswith("#")]

    assert len(heads) == len(set(heads))
    assert list(dict.fromkeys(names)) == [name for name, _ in heads]
    assert [] == [line for line in text.splitlines() if not line.startswith("#") and not LINE.fullmatch(line)]


async def test_figures_are_the_servers(redis):
    """Keys, commands and hits of a database that was used."""
    await use(redis)
    found = values(await text_of(redis))

    assert ("1", "1") == (found['redis_db_keys{db="db0"}'], found['redis_db_keys_expiring{db="db0"}'])
    assert float(found['redis_commands_total{cmd="get"}']) >= 2
    assert float(found["redis_memory_used_bytes"]) > 500_000
    assert "1" == found["redis_up"]


async def test_a_user_without_the_slow_log_has_the_rest(server):
    """The app's user may not see it, and INFO is enough."""
    server.admin("ACL", "SETUSER", "metrics", "on", "nopass", "+info", "+client", "+hello")
    async with client(f"redis://metrics:x@127.0.0.1:{server.port}") as redis:
        assert {} == await look_at_slow(redis)
        assert "redis_up 1" in render(samples(await look(redis)))
    server.admin("ACL", "DELUSER", "metrics")


def test_a_server_that_did_not_answer_is_down():
    """And nothing else is claimed."""
    assert ["redis_up 0"] == [line for line in render(samples(None)).splitlines() if not line.startswith("#")]


def test_fields_that_cannot_be_read_are_left_out():
    """A server of another kind or a damaged line is no error."""
    info = {"used_memory": "much", "cmdstat_get": "calls=x,usec", "db0": "keys=3", "slave0": "lag=1", "aof_enabled": ""}

    assert "redis_memory_used_bytes" not in render(samples(info))
    assert 'redis_db_keys{db="db0"} 3' in render(samples(info))


def test_labels_are_escaped():
    """A quote, a backslash or a line's end in a value breaks no line."""
    text = render(labelled(samples({"errorstat_X": "count=1"}), app='a"b\\c\nd'))

    assert 'redis_errors_total{app="a\\"b\\\\c\\nd",err="X"} 1' in text


@pytest.mark.parametrize(("text", "value"), [("12", 12), ("1.5", 1.5), ("3.20%", 3.2), ("", None), (None, None)])
def test_numbers(text, value):
    """As INFO writes them."""
    assert value == number(text)


@pytest.mark.parametrize("row", [*TABLE, *KIT], ids=lambda row: row.name)
def test_a_row_says_what_it_is(row):
    """With a name as Prometheus wants it, a sentence, and where it comes from."""
    assert re.fullmatch(r"red(is|yard)_[a-z_]+", row.name)
    assert row.help.endswith((".", ")"))
    assert row.source.says


def test_names_are_unique():
    """One row a name."""
    assert len({row.name for row in (*TABLE, *KIT)}) == len(TABLE) + len(KIT)
