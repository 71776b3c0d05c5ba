"""`doctor` examines an instance or an address, and its status says how it is."""

import json

from tests.support.servers import free_port


def test_a_healthy_instance(shared_yard):
    """By its name: a cache has nothing to mend; of a store, that its backups are on its own disk. No password."""
    password = shared_yard.json("vars")["REDISPASSWORD"]
    cache, store = (shared_yard.run("doctor", name) for name in ("redis-cache", "redis-store"))

    assert (0, "") == (cache.returncode, cache.stderr)
    assert "Nothing to mend" in cache.stdout
    assert (110, True) == (store.returncode, "REDYARD_BACKUPS" in store.stdout)
    assert password not in cache.stdout + store.stdout


def test_what_is_wrong_is_the_status(shared_yard):
    """111 for critical, 110 for a warning; JSON has evidence and remedy."""
    gone = shared_yard.run("doctor", "--json", f"redis://127.0.0.1:{free_port()}")
    seen = json.loads(gone.stdout)

    assert (111, "") == (gone.returncode, gone.stderr)
    assert "refused" == seen["findings"][0]["check"]
    assert {"evidence", "cause", "remedy", "proof", "severity"} <= set(seen["findings"][0])
    assert seen["unchecked"]


def test_what_the_app_says_is_weighed(shared_yard):
    """The pool's message is not the server's."""
    url = shared_yard.json("vars")["REDIS_URL"]
    said = shared_yard.run("doctor", url, "--error", "Too many connections")

    assert 110 == said.returncode
    assert "pool" in said.stdout


def test_the_checklist_and_memory(shared_yard):
    """For a person and as JSON."""
    lines = json.loads(shared_yard.run("doctor", "redis-store", "--checklist", "--json").stdout)["checklist"]
    memory = json.loads(shared_yard.run("doctor", "redis-store", "--memory", "--json").stdout)

    assert {"pass", "not applicable", "unknown"} >= {line["result"] for line in lines}
    assert memory["finished"]
    assert "prefixes" in memory


def test_a_wrong_option_is_usage(shared_yard):
    """Apart from what a doctor finds."""
    assert 2 == shared_yard.error("doctor", "--deep")["status"]
