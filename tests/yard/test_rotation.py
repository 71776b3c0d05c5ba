"""Passwords are exchanged while apps run: none of their commands fails, and the old password is dead at the end."""

import asyncio
import json
import logging
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from redyard import Job, Queue, Redis, Worker, events
from redyard.errors import StillUsed, UnknownUser
from redyard.yard.admin import Admin
from redyard.yard.credentials import Secret
from redyard.yard.rotation import judge
from redyard.yard.spec import Spec
from tests.support.servers import MB, PASSWORDS, Server
from tests.support.wait import until, wait_until
from tests.support.workers import running
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


@pytest.fixture(scope="module")
def store() -> Iterator[Sandbox]:
    """A yard with a store, for tests that leave it as usable as it was."""
    sandbox = Sandbox()
    add(sandbox)
    yield sandbox
    sandbox.close()


def address(yard: Sandbox) -> str:
    """Return the address that `redyard vars` prints."""
    return yard.calls.variables("redis")["REDIS_URL"]


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


async def test_rotation_under_load_fails_no_command(each_yard: Sandbox) -> None:
    """50 clients work on; the rotation ends by itself, every acknowledged command counted once, the old one is dead."""
    old = await asyncio.to_thread(add, each_yard)
    apps = Apps(each_yard.calls.variables("redis", files=True))
    async with asyncio.TaskGroup() as tasks:
        for number in range(CLIENTS):
            tasks.create_task(apps.run(number))
            tasks.create_task(apps.run_plainly(number))
        await until(lambda: len(apps.counts) == 2 * CLIENTS)
        await asyncio.to_thread(each_yard.calls.rotate, "redis", "all", wait=60)
        before = dict(apps.counts)
        await until(lambda: all(apps.counts[name] > count for name, count in before.items()))
        apps.stop.set()
    new = each_yard.calls.variables("redis")["REDIS_URL"]
    with redis.Redis.from_url(new, decode_responses=True) as client:
        counted = {name: int(client.get(name)) for name in apps.counts}

    assert [] == apps.errors
    assert apps.counts == counted
    assert (False, True) == (alive(old), alive(new))


async def test_blocked_consumer_goes_over_too(store: Sandbox) -> None:
    """A consumer that waits for jobs goes over between two waits, and gets what is pushed."""
    client = Redis.from_env(environ=store.calls.variables("redis", files=True))
    got: list[bytes] = []

    async def consume() -> None:
        while not got:
            if found := await client.blpop(["jobs"], timeout=0.3):
                got.append(found[1])

    consumer = asyncio.create_task(consume())
    await client.ping()
    await asyncio.to_thread(store.calls.rotate, "redis", "app", wait=60)
    await client.rpush("jobs", "a")
    await consumer
    await client.aclose()

    assert [b"a"] == got


async def test_workers_go_over_with_their_jobs(each_yard: Sandbox, monkeypatch: pytest.MonkeyPatch) -> None:
    """A busy worker, one that waits at its bell, a job that lasts: each job runs once, and nobody is refused."""
    monkeypatch.setattr("redyard.queue.bell.LONGEST", 1.0)  # the blocked read is made anew after it; else 5 s
    old = await asyncio.to_thread(add, each_yard)
    variables = each_yard.calls.variables("redis", files=True)
    runs: Counter[str] = Counter()
    over, told = asyncio.Event(), list[events.Event]()

    async def handle(job: Job) -> None:
        runs[f"{job.queue.name} {job.id}"] += 1
        await (over.wait() if job.data == "lasts" else asyncio.sleep(0.005))

    async def add_jobs(queue: Queue) -> list[Job]:
        added = [await queue.add("mail", "lasts")]
        while not over.is_set():
            added.append(await queue.add("mail"))
        return added

    deaf = events.subscribe(told.append, level=logging.WARNING)
    async with Redis.from_env(environ=variables) as client, Redis.from_env(environ=variables) as other:
        busy, idle = Queue(client, "busy"), Queue(client, "idle")
        async with running(Worker(busy, handle, concurrency=8), Worker(idle, handle)):
            adding = asyncio.create_task(add_jobs(Queue(other, "busy")))
            await until(lambda: len(runs) > 20)
            await asyncio.to_thread(each_yard.calls.rotate, "redis", "all", wait=60)
            dead, here = not alive(old), len(runs)
            await until(lambda: len(runs) > here + 20)
            over.set()
            jobs = [*await adding, await idle.add("mail")]
            await until(lambda: len(runs) == len(jobs))
        counts = await busy.counts()
        connects = client.stats.connects, other.stats.connects
    deaf()

    assert (True, (2, 2)) == (dead, connects)
    assert {f"{job.queue.name} {job.id}": 1 for job in jobs} == runs
    assert (0, {events.CLIENT_RECONNECTING}) == (counts["failed"], {event.kind for event in told})


def test_client_that_stays_is_named_and_can_be_cut(store: Sandbox) -> None:
    """Who keeps its connection is named with its address; both passwords count until `--now` closes it."""
    old = address(store)
    with redis.Redis.from_url(old, client_name="stubborn", retry=Retry(NoBackoff(), 0)) as client:
        client.ping()
        error = store.error("credentials", "rotate", "redis", "--wait", "0s")
        told = store.calls.credentials("redis", "app")["instances"][0]["users"][0]
        both = alive(old), alive(address(store))
        done = store.json("credentials", "rotate", "redis", "--now")

        assert ("StillUsed", 4) == (error["error"], error["status"])
        assert "stubborn (127.0.0.1:" in error["message"]
        assert ["stubborn"] == [row["name"] for row in error["details"]["connections"]]
        assert ({"connections": 1}, (True, True)) == (told["old_password"], both)
        assert [("redis-store", ["default"], 1)] == [
            (item["name"], item["users"], item["closed"]) for item in done["rotated"]
        ]
        with pytest.raises(redis.ConnectionError):
            client.ping()
    assert not alive(old)


def test_rotation_goes_on_and_names_who_was_refused(store: Sandbox) -> None:
    """The same command goes on where it stopped, with the same new password; who came with a wrong one is named."""
    old = address(store)
    with redis.Redis.from_url(old) as client:
        client.ping()
        with pytest.raises(StillUsed):
            store.calls.rotate("redis", "app", wait=0)
    new = address(store)
    alive(old.replace(old[20:30], "x" * 10))
    done = store.calls.rotate("redis", "app", wait=20)

    assert (False, True, new) == (alive(old), alive(new), address(store))
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


def test_stopped_instance_has_its_new_password_at_the_start(store: Sandbox) -> None:
    """Where no engine runs, the next one knows the new password alone."""
    old = address(store)
    store.calls.stop("redis")
    store.calls.rotate("redis", "app", wait=0)
    store.calls.start("redis")

    assert (False, True) == (alive(old), alive(address(store)))


def test_killed_rotation_leaves_both_and_goes_on(store: Sandbox) -> None:
    """After a kill -9 of the yard in the middle, both passwords count, also over a move and a restart."""
    old = address(store)
    with redis.Redis.from_url(old) as client:
        client.ping()
        rotation = store.start("credentials", "rotate", "redis", "--wait", "60s")
        wait_until(lambda: "old" in dict.fromkeys(secrets(store)["default"]), timeout=20)
        store.kill_yard()
        rotation.communicate()
        store.json("up", "--detach")
        both = [(alive(old), alive(address(store)))]
        store.calls.restart("redis")
        both.append((alive(old), alive(address(store))))
        store.calls.stop("redis")
        store.calls.start("redis")
        both.append((alive(old), alive(address(store))))
    store.calls.rotate("redis", "app", wait=20)

    assert [(True, True)] * 3 == both
    assert (False, True) == (alive(old), alive(address(store)))


STEPS = [
    (Secret(password="first", next="second"), ["first"]),
    (Secret(password="first", next="second"), ["first", "second"]),
    (Secret(password="second", old="first", since=1.0), ["first", "second"]),
    (Secret(password="second", since=1.0), ["first", "second"]),
]
"""What the file says when the yard dies, and what the engine was told by then."""


@pytest.mark.parametrize(("secret", "told"), STEPS)
async def test_engine_is_brought_to_what_the_file_says(server: Server, secret: Secret, told: list[str]) -> None:
    """Whatever an interrupted exchange left, the next yard lets in by the passwords of the file, and no other."""
    server.admin("ACL", "SETUSER", "default", "resetpass", *(f">{word}" for word in told))
    file = {name: Secret(password=word) for name, word in PASSWORDS.items()} | {"default": secret}
    admin = Admin.local(server.seat, PASSWORDS["yard"])
    try:
        await admin.let_in(file, spec())
        counts = [alive(server.url.replace(PASSWORDS["default"], word)) for word in ("first", "second")]
    finally:
        await admin.let_in({name: Secret(password=word) for name, word in PASSWORDS.items()}, spec())
        await admin.close()

    assert [word in secret.valid for word in ("first", "second")] == counts


def spec() -> Spec:
    """Return a store's spec, without apps."""
    limits = {"plan": "256mb", "memory": MB, "connections": 100, "databases": 16}
    return Spec(name="redis-store", addon="redis", role="store", port=17000, created_at=0.0, **limits)


def test_only_older_connections_hold_an_old_password() -> None:
    """A connection is judged by its number; one that has said nothing, a later one and another user's do not count."""
    secret = Secret(password="new", old="old", last=7)

    def row(number: int, user: str = "default", cmd: str = "get") -> dict[str, str]:
        return {"id": str(number), "user": user, "cmd": cmd, "name": "n", "addr": "a:1", "laddr": "", "age": "3"}

    found = judge([row(7), row(8), row(3, "monitor"), row(2, cmd="NULL")], "default", secret)

    assert [("default", "n", "a:1", 3)] == found
