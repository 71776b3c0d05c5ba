"""`stop`, `start` and `restart` act on an add-on or on one instance."""


def test_stop_and_start_again(yard):
    """A stopped instance stays stopped, with the other untouched, until it is started."""
    yard.json("add", "redis")
    stopped = yard.json("stop", "redis-cache")["instances"]
    other = yard.phase("redis-store")
    started = yard.json("start", "redis-cache")["instances"]

    assert [("redis-cache", "stopped")] == [(view["name"], view["phase"]) for view in stopped]
    assert "running" == other
    assert [("redis-cache", "running")] == [(view["name"], view["phase"]) for view in started]


def test_restart_gives_a_new_process(yard):
    """A restarted instance runs again, on its port, as another process."""
    yard.json("add", "redis", "--role", "store")
    before = yard.instance("redis-store")
    after = yard.json("restart", "redis")["instances"][0]

    assert (after["port"], after["phase"]) == (before["port"], "running")
    assert after["pid"] != before["pid"]


def test_person_sees_the_phase(yard):
    """The commands print the instances as `status` does."""
    yard.json("add", "redis", "--role", "cache")

    assert "stopped" in yard.run("stop", "redis").stdout
    assert "running" in yard.run("start", "redis").stdout
    assert "running" in yard.run("restart", "redis").stdout
