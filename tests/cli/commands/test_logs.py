"""`logs` prints the yard's and the engines' lines in one form, with or without a yard that runs."""

import json
import select
import signal

import pytest


def lines(yard, *arguments: str, **environ: str) -> list[dict]:
    """Return what is printed as JSON."""
    done = yard.run("logs", "--json", *arguments, **environ)
    assert 0 == done.returncode, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_yard_and_engines_in_one_order(shared_yard):
    """Lines of both sources have level and message, and come in the order of their time."""
    found = lines(shared_yard, "--lines", "1000")
    times = [line["time"] for line in found]

    assert {"yard", "engine"} == {line["source"] for line in found}
    assert sorted(times) == times
    assert [] == [line for line in found if not line["level"] or "message" not in line]
    assert "instance.added" in {line["message"] for line in found}


def test_one_instance(shared_yard):
    """A name shows its own lines, the yard's about it included."""
    found = lines(shared_yard, "redis-cache", "--lines", "1000")

    assert {"redis-cache"} == {line["name"] for line in found}
    assert {"yard", "engine"} == {line["source"] for line in found}


def test_number_of_lines(shared_yard):
    """--lines is how many of the last."""
    every = lines(shared_yard, "--lines", "1000")

    assert every[-3:] == lines(shared_yard, "--lines", "3")
    assert [] == lines(shared_yard, "--lines", "0")


def test_person_reads_text_and_production_json(shared_yard):
    """Without --json it is text; in production, where no terminal reads, lines of JSON."""
    text = shared_yard.run("logs", "--lines", "1").stdout
    said = shared_yard.run("logs", "--lines", "1", APP_ENV="production").stdout

    assert not text.startswith("{")
    assert {"level", "message"} <= set(json.loads(said))


def note(yard, text: str) -> None:
    """Write a line into the yard's log."""
    with yard.home.log.open("a") as log:
        log.write(f"2026-11-23 08:41:01,123 INFO {text}\n")


def test_follows_what_is_written(yard):
    """--follow prints what comes, also after a log was begun anew, until Ctrl-C, which is no error."""
    yard.json("up", "--detach")
    process = yard.start("logs", "--follow", "--lines", "0")
    try:
        for text in ("first", "second"):
            said = ""
            while text not in said:  # what comes first may be more of what was before
                if select.select([process.stdout], [], [], 0.1)[0]:
                    said = process.stdout.readline()
                else:
                    note(yard, text)
            yard.home.log.write_text("")
    finally:
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)

    assert 130 == process.returncode


def test_logs_without_a_running_yard_and_without_passwords(yard):
    """When it is needed most, the yard may be dead: its files are read. A password that got there is not shown."""
    yard.json("add", "redis", "--role", "store")
    note(yard, f"typed {yard.calls.variables()['REDISPASSWORD']} and redis://x:hunter2@h")
    yard.calls.down()
    found = lines(yard)

    assert "yard.stopped" == found[-1]["message"]
    assert "typed *** and redis://x:***@h" == found[0]["message"]


@pytest.mark.parametrize(("arguments", "name"), [(["nowhere"], "UnknownName")])
def test_unknown_name(shared_yard, arguments, name):
    """A name that nothing has is named."""
    assert name == shared_yard.error("logs", *arguments)["error"]


def test_foreground_in_production_speaks_json(yard):
    """`up` as a container's process writes its events as JSON, and nothing else."""
    yard.environ["APP_ENV"] = "production"
    process = yard.start("up")
    first = json.loads(process.stderr.readline())
    process.send_signal(signal.SIGTERM)
    said, rest = process.communicate(timeout=60)

    assert ("info", "yard.started") == (first["level"], first["message"])
    assert ("", 0) == (said, process.returncode)
    assert [] == [line for line in rest.splitlines() if "message" not in json.loads(line)]
