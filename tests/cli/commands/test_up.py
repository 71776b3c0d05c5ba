"""`up` runs the yard until a signal, or in the background; `down` ends it."""

import signal


def test_foreground_says_where_it_is_and_ends_by_a_signal(yard):
    """`up` prints the yard once it serves, and SIGTERM ends it cleanly."""
    process = yard.start("up")
    first = process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=60)

    assert str(yard.home.path) in first
    assert 0 == process.returncode
    assert not yard.home.is_held()


def test_foreground_starts_what_is_to_run(yard):
    """`up` prints the instances that it runs."""
    yard.json("add", "redis", "--role", "cache")
    yard.run("down")
    process = yard.start("up")
    lines = iter(process.stdout.readline, "")
    row = next(line for line in lines if "redis-cache" in line)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=60)

    assert "running" in row
    assert 0 == process.returncode


def test_second_foreground_is_refused(shared_yard):
    """A directory has one yard."""
    assert "YardAlreadyRunning" == shared_yard.error("up")["error"]


def test_detached_yard_outlives_its_command(yard):
    """`up --detach` returns when the yard answers, and a second one changes nothing."""
    first = yard.json("up", "--detach")
    second = yard.json("up", "--detach")

    assert first["yard"]["pid"] == second["yard"]["pid"] == yard.yard_pid()


def test_down_says_what_it_stopped(yard):
    """`down` stops the engines and the yard, and names what ran."""
    yard.json("add", "redis")
    answer = yard.json("down")

    assert ["redis-cache", "redis-store"] == sorted(answer["stopped"])
    assert not yard.home.is_held()


def test_down_without_a_yard(yard):
    """Where nothing runs, there is nothing to stop."""
    assert "YardNotRunning" == yard.error("down")["error"]


def test_down_for_a_person(yard):
    """A person is told what was stopped and how to start it again."""
    yard.run("add", "redis", "--role", "cache")
    said = yard.run("down").stdout

    assert "Stopped redis-cache." in said
    assert "redyard up" in said
