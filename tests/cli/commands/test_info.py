"""`info` tells everything, and the password only when it is asked for."""


def test_info_hides_the_password(shared_yard):
    """Without --show no output of `info` has a password."""
    password = shared_yard.json("vars")["REDISPASSWORD"]
    said = shared_yard.run("info").stdout + shared_yard.run("info", "redis", "--json").stdout

    assert password not in said
    assert "redis://default:***@127.0.0.1:" in said


def test_info_shows_the_password_when_asked(shared_yard):
    """With --show the URL is the one that `vars` prints."""
    url = shared_yard.json("vars")["REDIS_CACHE_URL"]

    assert url in shared_yard.run("info", "redis-cache", "--show").stdout


def test_info_of_an_addon_and_of_one_instance(shared_yard):
    """A name is an add-on or one of its instances; no name is everything."""
    names = [
        sorted(instance["name"] for instance in shared_yard.json("info", *chosen)["instances"])
        for chosen in ([], ["redis"], ["redis-store"])
    ]

    assert [["redis-cache", "redis-store"], ["redis-cache", "redis-store"], ["redis-store"]] == names


def test_info_prints_what_was_promised(shared_yard):
    """Connection, version, memory and authentication are there for a person."""
    said = shared_yard.run("info", "redis-store").stdout
    missing = [label for label in ("connection", "version", "memory", "authentication") if label not in said]

    assert [] == missing


def test_info_of_nothing(shared_yard):
    """A name that nothing has is an error that names what there is."""
    error = shared_yard.error("info", "nowhere")

    assert "UnknownName" == error["error"]
    assert "redis-store" in error["hint"]
