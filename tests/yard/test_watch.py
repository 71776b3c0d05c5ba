"""The yard watches its instances: figures, alerts, and what happens to both at a restart."""

import json
import time

import redis

from redyard.history import History
from tests.alerts.test_notify import Webhook
from tests.support.wait import wait_until


def metrics(yard, *names):
    """The lines of `redyard metrics`, by name and labels."""
    lines = yard.run("metrics", *names).stdout.splitlines()
    return dict(line.rsplit(" ", 1) for line in lines if not line.startswith("#"))


def judged(yard):
    """Wait until an instance was judged once, and return the metrics."""
    wait_until(lambda: 'redyard_probe_success{instance="redis-store",probe="write"}' in metrics(yard), timeout=30)
    return metrics(yard)


def firing(yard):
    return {item["rule"] for item in yard.calls.alerts()["firing"]}


def make_evict(yard):
    """Bring the store into a state that an alert is for: it throws keys away."""
    password = json.loads((yard.home.instances / "redis-store" / "secrets.json").read_text())["yard"]
    port = yard.instance("redis-store")["port"]
    with redis.Redis(port=port, username="yard", password=password) as admin:
        admin.config_set("maxmemory-policy", "allkeys-lru")
        admin.config_set("maxmemory", "20mb")
        for number in range(8000):
            admin.set(f"job:{number}", "x" * 4000)


def test_metrics_have_each_instance_as_a_label(shared_yard):
    """Of all of them, or of one."""
    both = judged(shared_yard)
    one = metrics(shared_yard, "redis-store")

    assert ("1", "1") == (both['redis_up{instance="redis-store"}'], both['redis_up{instance="redis-cache"}'])
    assert "1" == both['redyard_instance_info{instance="redis-store",role="store",plan="256mb"}']
    assert "1" == one['redyard_probe_success{instance="redis-store",probe="write"}']
    assert not [name for name in one if "redis-cache" in name]


def test_a_probe_leaves_no_key(yard):
    """It is a write that writes nothing."""
    yard.json("add", "redis")
    judged(yard)

    assert {0} == {item["keys"] for item in yard.json("info")["instances"]}


def test_top_shows_what_instances_do(shared_yard):
    """For a person and for a program; the yard's own connection is not a client."""
    judged(shared_yard)
    with redis.Redis.from_url(shared_yard.url("redis-store"), client_name="shop:web") as app:
        app.ping()
        wait_until(lambda: None not in {item["operations"] for item in shared_yard.calls.top()["instances"]})
        data = shared_yard.json("top", "--once")
    store = next(item for item in data["instances"] if item["name"] == "redis-store")

    assert {"shop:web": 1} == store["clients"]
    assert store["memory_used"] > 500_000
    assert store["operations"] > 0
    assert "info" in {row["command"] for row in store["commands"]}
    assert "redis-store" in shared_yard.run("top").stdout


def test_top_shows_no_values(shared_yard):
    """A slow command's values may be secrets."""
    judged(shared_yard)
    with redis.Redis.from_url(shared_yard.url("redis-cache")) as app:
        app.eval("local n = 0 for i = 1, 3000000 do n = n + i end return n", 0, "hunter2")
    said = shared_yard.run("top", "redis-cache", "--once").stdout

    assert "slow" in said
    assert "hunter2" not in said


def test_an_alert_fires_is_told_and_survives_the_yard(yard):
    """Status shows it with its remedy; the next yard tells nobody again; a silence and the history are kept."""
    hook = Webhook()
    yard.environ["REDYARD_ALERTS"] = hook.url
    try:
        yard.json("add", "redis", "--role", "store")
        wait_until(lambda: metrics(yard).get('redyard_instance_running{instance="redis-store"}') == "1", timeout=30)
        make_evict(yard)
        wait_until(lambda: "StoreEvicts" in firing(yard), timeout=40)
        wait_until(lambda: hook.letters, timeout=30)
        said = yard.run("status").stdout
        yard.kill_yard()
        yard.run("up", "--detach")
        kept = yard.json("alerts")
        silent = yard.json("alerts", "silence", "StoreEvicts", "redis-store", "--for", "2h", "--reason", "known")
        tested = yard.json("alerts", "test")
    finally:
        yard.run("down")
        hook.close()

    assert "StoreEvicts" in said
    assert "redyard restart redis-store" in said
    assert "StoreEvicts" in {item["rule"] for item in kept["firing"]}
    assert ("StoreEvicts", "known") == (silent["silences"][0]["rule"], silent["silences"][0]["reason"])
    assert [("json://...", True)] == [(item["channel"], item["delivered"]) for item in tested["deliveries"]]
    titles = [letter["title"] for letter in hook.letters]
    assert 1 == sum("StoreEvicts" in title for title in titles)
    assert "[test] Redyard" in titles
    assert "hunter2" not in said + json.dumps(kept) + yard.home.log.read_text()
    assert rows_of(yard)


def rows_of(yard):
    """The history's rows, which outlive the yard."""
    history = History(yard.home.history)
    try:
        return history.line("redis-store", "memory_used", time.time() - 600, time.time()).points
    finally:
        history.close()


def test_a_stopped_instance_raises_no_alarm(yard):
    """It was wanted so."""
    yard.json("add", "redis", "--role", "cache")
    yard.json("stop", "redis")

    wait_until(lambda: not [name for name in metrics(yard) if name.startswith("redis_up")])
    assert set() == firing(yard)


def test_what_is_asked_wrongly_is_explained(shared_yard):
    """A rule that there is not, no rule, no channel."""
    wrong = [
        shared_yard.error("alerts", "silence", "Nonsense"),
        shared_yard.error("alerts", "silence"),
        shared_yard.error("alerts", "test"),
        shared_yard.error("alerts", "silence", "Down", "nobody"),
    ]

    assert ["InvalidValue", "Usage", "NoChannel", "UnknownName"] == [error["error"] for error in wrong]


def test_rules_need_no_yard(yard):
    """They are a table."""
    rules = yard.json("alerts", "rules")["rules"]

    assert {"name", "severity", "roles", "lasts", "says", "finding", "remedy", "promql"} == set(rules[0])
    assert "Down" in yard.run("alerts", "rules").stdout


def test_a_damaged_book_is_begun_anew(yard):
    """It stops no yard."""
    yard.run("up", "--detach")
    yard.run("down")
    yard.home.alerts.write_text("{")
    yard.run("up", "--detach")

    assert [] == yard.json("alerts")["firing"]
