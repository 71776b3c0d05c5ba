"""Apps with users of their own: apart from each other, and there after a restart, a move, a crash and a restore."""

from collections.abc import Iterator

import pytest
import redis
from redis.exceptions import NoPermissionError

from redyard import Cache, Queue, RateLimit, Redis, SessionStore
from redyard.errors import AppTaken, BadApp, BadPrefix, UnknownApp, UnknownTemplate
from redyard.sessions.record import Change
from tests.support.yards import Sandbox


@pytest.fixture(scope="module")
def shops() -> Iterator[Sandbox]:
    """A yard with an add-on that two apps share."""
    sandbox = Sandbox()
    sandbox.json("add", "redis")
    for app in ("shop", "blog"):
        sandbox.calls.grant("redis", app, "app", [f"{app}:*"])
    yield sandbox
    sandbox.close()


def client(yard: Sandbox, app: str, name: str = "redis") -> redis.Redis:
    """Return a client with an app's own variables."""
    return redis.Redis.from_url(yard.calls.variables(name, app)["REDIS_URL"], decode_responses=True)


def works(yard: Sandbox, app: str, name: str = "redis") -> tuple[bool, bool]:
    """Say whether an app may write its own keys, and another's."""
    with client(yard, app, name) as own:
        own.set(f"{app}:k", "v")
        try:
            own.set("other:k", "v")
        except NoPermissionError:
            return True, False
        return True, True


def test_two_apps_cannot_read_each_other(shops: Sandbox) -> None:
    """Neither has the other's keys, channels or names, on the store and on the cache; each has its own variables."""
    with client(shops, "shop") as shop, client(shops, "blog") as blog:
        shop.set("shop:k", "secret")
        refused = []
        for run in (
            lambda: blog.get("shop:k"),
            lambda: blog.publish("shop:news", "x"),
            blog.scan,
            blog.randomkey,
            lambda: blog.eval("return redis.call('GET', 'shop:k')", 0),
        ):
            with pytest.raises(redis.ResponseError) as caught:
                run()
            refused.append("permission" in str(caught.value) or "can't access" in str(caught.value))
    variables = shops.calls.variables("redis", "shop")

    assert [True] * 5 == refused
    assert ("shop", {"REDIS_URL", "REDIS_CACHE_URL"}) == (
        variables["REDISUSER"],
        {*variables} & {"REDIS_URL", "REDIS_CACHE_URL"},
    )
    assert variables != shops.calls.variables("redis", "blog")


def test_access_is_listed_and_taken_back(shops: Sandbox) -> None:
    """`list` tells app, keys and connections; `remove` closes them and ends the password."""
    shops.json("access", "add", "redis-store", "guest", "--read-only")
    guest = client(shops, "guest", "redis-store")
    guest.ping()
    listed = [row for row in shops.json("access", "list", "redis")["access"] if row["app"] == "guest"]
    done = shops.json("access", "remove", "redis", "guest")

    assert [("redis-store", "read-only", [], 1)] == [
        (row["name"], row["template"], row["prefixes"], row["connections"]) for row in listed
    ]
    assert ["redis-store"] == [row["name"] for row in done["instances"]]
    with pytest.raises(redis.RedisError):
        guest.ping()
    guest.close()
    with pytest.raises(UnknownApp):
        shops.calls.variables("redis", "guest")


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("shop", "app", ["x:*"]), AppTaken),
        (("default", "app", []), AppTaken),
        (("admin", "app", []), AppTaken),
        (("Shop!", "app", []), BadApp),
        (("x" * 41, "app", []), BadApp),
        (("new", "owner", []), UnknownTemplate),
        (("new", "app", ["shop:"]), BadPrefix),
        (("new", "app", ["*"]), BadPrefix),
        (("new", "app", ["a b*"]), BadPrefix),
        (("new", "app", ["a\n+@all *"]), BadPrefix),
        (("new", "metrics", ["shop:*"]), BadPrefix),
    ],
)
def test_wrong_access_is_refused(shops: Sandbox, arguments: tuple, error: type[Exception]) -> None:
    """What cannot be given says why, and nobody has it."""
    with pytest.raises(error):
        shops.calls.grant("redis", *arguments)
    assert "new" not in {row["app"] for row in shops.calls.accesses("redis")["access"]}


def test_run_gives_an_app_its_own_variables(shops: Sandbox) -> None:
    """`redyard run --app` has the app's address, and the file that follows its password."""
    code = "import os; print(os.environ['REDIS_URL'] == open(os.environ['REDIS_URL_FILE']).read().strip())"
    done = shops.run("run", "--app", "shop", "--", "python3", "-c", code)

    assert "True\n" == done.stdout


def test_app_s_password_is_exchanged(shops: Sandbox) -> None:
    """A rotation for an app changes its password and nobody else's."""
    before = {app: shops.calls.variables("redis", app) for app in ("shop", "blog")}
    shops.calls.rotate("redis", "shop", wait=20)
    after = {app: shops.calls.variables("redis", app) for app in ("shop", "blog")}

    assert [False, True] == [before[app] == after[app] for app in ("shop", "blog")]
    assert (True, False) == works(shops, "shop")


async def test_kit_works_under_prefixes(shops: Sandbox) -> None:
    """A queue, a cache and its tags, limits and sessions work for an app that is bound to their prefixes."""
    prefixes = ["bull:mails:*", "cache:mail:*", "cachetag:mail:*", "ratelimit:login:*", "session:*", "session-index:*"]
    given = [word for prefix in prefixes for word in ("--prefix", prefix)]
    shops.json("access", "add", "redis-store", "mailer", *given)
    redis = Redis.from_env(environ=shops.calls.variables("redis", "mailer"))
    cache = Cache(redis, prefix="mail:", local=10)
    await cache.set("k", "v", tags=["t"])
    await Queue(redis, "mails").add("send", {"to": "you"})
    store = SessionStore(redis)
    await store.create("an-id", Change(fields={"a": b"1"}, removed=[], user="you"))
    allowed = (await RateLimit(redis, "login", limit=5, per=60).hit("you")).allowed
    found = await cache.get("k"), await redis.llen("bull:mails:wait"), len(await store.list("you")), allowed
    await cache.invalidate_tag("t")
    gone = await cache.get("k")
    await redis.aclose()

    assert (("v", 1, 1, True), None) == (found, gone)


def test_access_survives_what_happens_to_an_engine(each_yard: Sandbox) -> None:
    """After a move, a restart, a kill -9 of the yard and of the engine, and a restore, an app has what it was given."""
    each_yard.json("add", "redis", "--role", "store")
    each_yard.calls.grant("redis", "shop", "app", ["shop:*"])
    url, found = each_yard.calls.variables("redis", "shop")["REDIS_URL"], [works(each_yard, "shop")]
    each_yard.calls.restart("redis")  # a move
    found.append(works(each_yard, "shop"))
    each_yard.calls.stop("redis")
    each_yard.calls.start("redis")
    found.append(works(each_yard, "shop"))
    each_yard.kill_yard()
    each_yard.json("up", "--detach")
    found.append(works(each_yard, "shop"))
    each_yard.calls.restore("redis", None, confirm="redis-store")
    found.append(works(each_yard, "shop"))
    each_yard.calls.restore("redis", None, into="copy")
    found.append(works(each_yard, "shop", "copy"))

    assert [(True, False)] * 6 == found
    assert url == each_yard.calls.variables("redis", "shop")["REDIS_URL"]
    assert url != each_yard.calls.variables("copy", "shop")["REDIS_URL"]
