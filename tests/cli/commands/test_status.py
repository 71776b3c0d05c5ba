"""`status` is for looking: the yard, and every instance with its figures."""

FIELDS = {"name", "addon", "role", "plan", "phase", "port", "memory_used", "memory_limit", "clients", "clients_limit"}


def test_status_of_a_yard_with_an_addon(shared_yard):
    """Both instances of an add-on are listed, with the port and the phase."""
    said = shared_yard.run("status").stdout
    views = shared_yard.json("status")["instances"]
    missing = [view["name"] for view in views if view["name"] not in said or str(view["port"]) not in said]

    assert ["redis-cache", "redis-store"] == sorted(view["name"] for view in views)
    assert [] == missing
    assert str(shared_yard.home.path) in said


def test_json_has_every_field(shared_yard):
    """A program gets every figure of the table as a plain value."""
    view = shared_yard.json("status")["instances"][0]

    assert set(view) >= FIELDS


def test_status_shows_no_password(shared_yard):
    """Looking never shows a password, neither to people nor to programs."""
    password = shared_yard.json("vars")["REDISPASSWORD"]
    said = shared_yard.run("status").stdout + shared_yard.run("status", "--json").stdout

    assert password not in said
