"""Passwords are exchanged while apps run: none of their commands fails, and the old password is dead at the end."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from redyard import Redis
from redyard.errors import StillUsed, UnknownUser
from redyard.yard.credentials import Secret
from redyard.yard.rotation import judge
from tests.support.wait import until, wait_until
from tests.support.yards import Sandbox

CLIENTS = 25
"""Of each kind; with both the bar's 50."""


def add(yard: Sandbox) -> str:
    """Make a store and return its address."""
    yard.json("add", "redis", "--role", "store")
    return yard.calls.variables("redis")["REDIS_URL"]


def alive(url: str) -> bool:
    """Say whether an address lets in."""
    with redis.Redis.from_url(url, retry=Retry(NoBackoff(), 0)) as client:
        try:
            return bool(client.ping())
        except redis.AuthenticationError:
            return False


def secrets(yard: Sandbox) -> dict[str, object]:
    """Return what the file of passwords has."""
    return json.loads((yard.home.instances / "redis-store" / "secrets.json").read_text())


class Apps:
    """Clients of the kit and of redis-py at work: what was acknowledged, and what failed."""

    def __init__(self, variables: dict[str, str]) -> None:
        self.variables = variables
        self.counts: dict[str, int] = {}
        self.errors: list[Exception] = []
        self.stop = asyncio.Event()

    async def run(self, number: int) -> None:
        """Work by the kit, which reads the file of the address by itself."""
        client = Redis.from_env(environ=self.variables)
        while not self.stop.is_set():
            await self._count(client, f"kit:{number}")
        await client.aclose()

    async def run_plainly(self, number: int) -> None:
        """Work by redis-py's client: the app looks at the address itself, and makes another client of a new one."""
        file = Path(self.variables["REDIS_URL_FILE"])
        url, client = "", None
        while not self.stop.is_set():
            if (now := file.read_text().strip()) != url:
                if client:
                    await client.aclose()
                url, client = now, redis.asyncio.Redis.from_url(now, retry=Retry(NoBackoff(), 0))
            await self._count(client, f"plain:{number}")
        await client.aclose()

    async def _count(self, client: redis.asyncio.Redis, name: str) -> None:
        try:
            await client.incr(name)
            self.counts[name] = self.counts.get(name, 0) + 1
        except (redis.RedisError, OSError) as error:
            self.errors.append(error)
        await asyncio.sleep(0.01)


@pytest.mark.parametrize("user", ["app", "all"])
async def test_rotation_under_load_fails_no_command(each_yard: Sandbox, user: str) -> None:
    """50 clients work on; the rotation ends by itself, every acknowledged command counted once, the old one is dead."""
    old = await asyncio.to_thread(add, each_yard)
    apps = Apps(each_yard.calls.variables("redis", files=True))
    async with asyncio.TaskGroup() as tasks:
        for number in range(CLIENTS):
            tasks.create_task(apps.run(number))
            tasks.create_task(apps.run_plainly(number))
        await until(lambda: len(apps.counts) == 2 * CLIENTS)
        await asyncio.to_thread(each_yard.calls.rotate, "redis", user, wait=60)
        before = dict(apps.counts)
        await until(lambda: all(apps.counts[name] > count for name, count in before.items()))
        apps.stop.set()
    new = each_yard.calls.variables("redis")["REDIS_URL"]
    with redis.Redis.from_url(new, decode_responses=True) as client:
        counted = {name: int(client.get(name)) for name in apps.counts}

    assert [] == apps.errors
    assert apps.counts == counted
    assert (False, True) == (alive(old), alive(new))


async def test_blocked_consumer_goes_over_too(yard: Sandbox) -> None:
    """A consumer that waits for jobs goes over between two waits, and gets what is pushed."""
    await asyncio.to_thread(add, yard)
    client = Redis.from_env(environ=yard.calls.variables("redis", files=True))
    got: list[bytes] = []

    async def consume() -> None:
        while not got:
            if found := await client.blpop(["jobs"], timeout=0.3):
                got.append(found[1])

    consumer = asyncio.create_task(consume())
    await client.ping()
    await asyncio.to_thread(yard.calls.rotate, "redis", "app", wait=60)
    await client.rpush("jobs", "a")
    await consumer
    await client.aclose()

    assert [b"a"] == got


def test_client_that_stays_is_named_and_can_be_cut(each_yard: Sandbox) -> None:
    """Who keeps its connection is named with its address; both passwords count until `--now` closes it."""
    old = add(each_yard)
    with redis.Redis.from_url(old, client_name="stubborn", retry=Retry(NoBackoff(), 0)) as client:
        client.ping()
        error = each_yard.error("credentials", "rotate", "redis", "--wait", "0s")
        told = each_yard.calls.credentials("redis", "app")["instances"][0]["users"][0]
        both = alive(old), alive(each_yard.calls.variables("redis")["REDIS_URL"])
        done = each_yard.json("credentials", "rotate", "redis", "--now")

        assert ("StillUsed", 4) == (error["error"], error["status"])
        assert "stubborn (127.0.0.1:" in error["message"]
        assert ({"connections": 1}, (True, True)) == (told["old_password"], both)
        assert [("redis-store", ["default"], 1)] == [
            (item["name"], item["users"], item["closed"]) for item in done["rotated"]
        ]
        with pytest.raises(redis.ConnectionError):
            client.ping()
    assert not alive(old)


def test_rotation_ends_when_the_client_leaves(yard: Sandbox) -> None:
    """The same command goes on where it stopped, with the same new password."""
    old = add(yard)
    with redis.Redis.from_url(old) as client:
        client.ping()
        with pytest.raises(StillUsed):
            yard.calls.rotate("redis", "app", wait=0)
    new = yard.calls.variables("redis")["REDIS_URL"]
    yard.calls.rotate("redis", "app", wait=20)

    assert (False, True, new) == (alive(old), alive(new), yard.calls.variables("redis")["REDIS_URL"])


def test_refused_client_is_named(yard: Sandbox) -> None:
    """Who connects with a password that ended is told with the next rotation of that user."""
    old = add(yard)
    with redis.Redis.from_url(old) as client:
        client.ping()
        with pytest.raises(StillUsed):
            yard.calls.rotate("redis", "app", wait=0)
        alive(old.replace(old[20:30], "x" * 10))
    done = yard.calls.rotate("redis", "app", wait=20)

    assert ["default"] == [one["user"] for one in done["rotated"][0]["refused"]]


def test_unknown_user_is_refused(shared_yard: Sandbox) -> None:
    """A user that is not there is an error that lists those that are."""
    with pytest.raises(UnknownUser, match="no user 'nobody'") as caught:
        shared_yard.calls.rotate("redis-store", "nobody")
    assert "replication" in caught.value.remedy


def test_passwords_are_shown_on_purpose_only(shared_yard: Sandbox) -> None:
    """`show` has no password without --show."""
    password = shared_yard.url("redis-store").partition("@")[0].rpartition(":")[2]
    hidden = shared_yard.run("credentials", "show", "redis", "--json").stdout
    shown = shared_yard.run("credentials", "show", "redis", "--json", "--show").stdout

    assert (False, True) == (password in hidden, password in shown)


def test_stopped_instance_has_its_new_password_at_the_start(yard: Sandbox) -> None:
    """Where no engine runs, the next one knows the new password alone."""
    old = add(yard)
    yard.calls.stop("redis")
    yard.calls.rotate("redis", "app", wait=0)
    yard.calls.start("redis")

    assert (False, True) == (alive(old), alive(yard.calls.variables("redis")["REDIS_URL"]))


def interrupted(yard: Sandbox, step: Callable[[dict[str, object]], bool]) -> None:
    """Begin a rotation that cannot end, and kill the yard when the file of passwords shows a step."""
    rotation = yard.start("credentials", "rotate", "redis", "--wait", "60s")
    wait_until(lambda: step(secrets(yard)))
    yard.kill_yard()
    rotation.communicate()
    yard.json("up", "--detach")


def test_killed_rotation_leaves_both_and_goes_on(each_yard: Sandbox) -> None:
    """After a kill -9 of the yard in the middle, both passwords count, also over a restart and a move."""
    old = add(each_yard)
    with redis.Redis.from_url(old) as client:
        client.ping()
        interrupted(each_yard, lambda file: isinstance(file["default"], dict) and "old" in file["default"])
        new = each_yard.calls.variables("redis")["REDIS_URL"]
        both = [(alive(old), alive(new))]
        each_yard.calls.restart("redis")
        both.append((alive(old), alive(new)))
        each_yard.calls.stop("redis")
        each_yard.calls.start("redis")
        both.append((alive(old), alive(new)))
    each_yard.calls.rotate("redis", "app", wait=20)

    assert [(True, True)] * 3 == both
    assert (False, True) == (alive(old), alive(new))


STATES = {
    "prepared": Secret(password="first", next="second"),
    "exchanged": Secret(password="second", old="first", since=1.0),
    "settled": Secret(password="second", since=1.0),
}


@pytest.mark.parametrize("state", STATES)
@pytest.mark.parametrize("told", [["first"], ["first", "second"], ["second"]], ids=" ".join)
def test_every_step_that_dies_leaves_a_password_that_counts(yard: Sandbox, state: str, told: list[str]) -> None:
    """Whatever the file says and whatever the engine was told by then, the yard brings it to what the file says."""
    if state == "prepared" and told == ["second"]:
        pytest.skip("the engine loses no password before the file says so")
    add(yard)
    with redis.Redis.from_url(yard.calls.login("redis", "yard")["url"]) as admin:
        yard.kill_yard()
        admin.execute_command("ACL", "SETUSER", "default", "resetpass", *(f">{word}" for word in told))
    path = yard.home.instances / "redis-store" / "secrets.json"
    kept = {"default": msgspec.to_builtins(STATES[state])}
    path.write_text(json.dumps({**secrets(yard), **kept}))
    yard.json("up", "--detach")
    url = yard.calls.variables("redis")["REDIS_URL"]
    given = STATES[state].password
    wait_until(lambda: alive(url))
    counts = [alive(url.replace(given, word)) for word in ("first", "second")]
    yard.calls.rotate("redis", "app", wait=20)

    assert [word in STATES[state].valid for word in ("first", "second")] == counts
    assert not alive(url.replace(given, "first"))


def test_only_older_connections_hold_an_old_password() -> None:
    """A connection is judged by its number; one that has said nothing, a later one and another user's do not count."""
    secret = Secret(password="new", old="old", last=7)

    def row(number: int, user: str = "default", cmd: str = "get") -> dict[str, str]:
        return {"id": str(number), "user": user, "cmd": cmd, "name": "n", "addr": "a:1", "laddr": "", "age": "3"}

    found = judge([row(7), row(8), row(3, "monitor"), row(2, cmd="NULL")], "default", secret)

    assert [("default", "n", "a:1", 3)] == found
