"""`doctor` examines an instance or an address, and its status says how it is."""

import json
import math
import time

from redyard.history import History
from redyard.metrics.series import NAMES
from tests.support.servers import free_port


def test_a_healthy_instance(shared_yard):
    """By its name: a cache has nothing to mend; of a store, that its backups are on its own disk. No password."""
    password = shared_yard.json("vars")["REDISPASSWORD"]
    cache, store = (shared_yard.run("doctor", name) for name in ("redis-cache", "redis-store"))

    assert (0, "") == (cache.returncode, cache.stderr)
    assert "Nothing to mend" in cache.stdout
    assert (110, True) == (store.returncode, "REDYARD_BACKUPS" in store.stdout)
    assert password not in cache.stdout + store.stdout


def test_of_the_yards_own_nothing_is_left_out(shared_yard):
    """The app's user may not read settings and logs; the yard may, and answers for them."""
    seen = json.loads(shared_yard.run("doctor", "redis-store", "--json").stdout)

    assert {} == {name: why for name, why in seen["unchecked"].items() if "NOPERM" in why}
    assert "P67" not in {finding["number"] for finding in seen["findings"]}


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

    assert {"pass", "not applicable"} >= {line["result"] for line in lines}
    assert memory["finished"]
    assert "prefixes" in memory


def test_a_wrong_option_is_usage(shared_yard):
    """Apart from what a doctor finds."""
    assert 2 == shared_yard.error("doctor", "--deep")["status"]


def kept(yard, *, days):
    """Write files as a yard leaves them, with a history of an instance whose memory grew."""
    home = yard.home
    (home.instances / "redis-store").mkdir(parents=True)
    spec = {"name": "redis-store", "addon": "redis", "role": "store", "connections": 100}
    (home.instances / "redis-store" / "spec.json").write_text(json.dumps(spec))
    history, until = History(home.history), int(time.time())
    for at in range(until - days * 86400, until, 1800):
        figures = [math.nan] * len(NAMES)
        figures[NAMES["memory_used"]] = float(at - until + 2 * days * 86400) * 100
        history.add("redis-store", at, figures)
    history.close()


def test_a_week_is_summed_up_without_a_yard(yard):
    """From its files; what the history does not reach is said."""
    kept(yard, days=2)
    said = json.loads(yard.run("doctor", "redis", "--since", "7d", "--json").stdout)["summaries"]
    shown = yard.run("doctor", "--since", "7d").stdout

    assert ["redis-store"] == [one["name"] for one in said]
    assert ["memory_used"] == [change["name"] for change in said[0]["grew"]]
    assert said[0]["covered"] < said[0]["asked"] == 7 * 86400
    assert "memory used" in shown


def test_a_week_that_nobody_watched(yard):
    """Or a name that is not there: an error, not a zero."""
    assert "NoHistory" == yard.error("doctor", "--since", "7d")["error"]
    assert "UnknownName" == yard.error("doctor", "redis-store", "--since", "7d")["error"]
    assert "InvalidValue" == yard.error("doctor", "--since", "a week")["error"]
