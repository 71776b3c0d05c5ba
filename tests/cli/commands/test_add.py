"""`add redis` gives a Redis that answers, and says how to use it."""

import redis


def test_add_starts_a_yard_and_says_so(yard):
    """Where no yard runs, `add redis` starts one, says so on stderr, and prints what was promised on stdout."""
    done = yard.run("add", "redis")
    promised = ("redis://default:***@127.0.0.1:", "version", "192mb", "authentication", "redyard run -- COMMAND")

    assert 0 == done.returncode
    assert str(yard.home.path) in done.stderr
    assert [] == [part for part in promised if part not in done.stdout]


def test_shown_url_works(yard):
    """With --show the printed URL is one that a client connects to."""
    answer = yard.json("add", "redis", "--role", "store", "--name", "jobs", "--show")
    with redis.Redis.from_url(answer["instances"][0]["url"]) as client:
        pong = client.ping()

    assert pong is True
    assert ["jobs-store"] == [instance["name"] for instance in answer["instances"]]


def test_password_is_hidden(yard):
    """Without --show neither a person nor a program is shown the password."""
    said = yard.run("add", "redis").stdout + yard.run("add", "redis", "--name", "two", "--json").stdout
    passwords = {yard.json("vars", name)["REDISPASSWORD"] for name in ("redis", "two")}

    assert [] == [password for password in passwords if password in said]


def test_unknown_plan_starts_nothing(yard):
    """A plan that does not exist is refused before a yard is started."""
    error = yard.error("add", "redis", "--plan", "3mb")

    assert "UnknownPlan" == error["error"]
    assert not yard.home.path.exists()


def test_unknown_role_starts_nothing(yard):
    """A role that does not exist is refused before a yard is started."""
    error = yard.error("add", "redis", "--role", "queue")

    assert "UnknownRole" == error["error"]
    assert not yard.home.path.exists()


def test_name_taken(shared_yard):
    """A name that is taken is one error, with the way to another."""
    error = shared_yard.error("add", "redis")

    assert "NameTaken" == error["error"]
    assert "--name" in error["hint"]


def test_port_is_chosen(yard):
    """--port gives the instance that port."""
    port = int(yard.environ["REDYARD_PORTS"].split("-")[0]) + 3
    answer = yard.json("add", "redis", "--role", "cache", "--port", str(port))

    assert answer["instances"][0]["port"] == port


def test_directory_that_cannot_be_made(yard):
    """A directory that cannot be made is one error."""
    error = yard.error("add", "redis", REDYARD_HOME="/dev/null/yard")

    assert "YardNotWritable" == error["error"]
