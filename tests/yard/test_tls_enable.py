"""TLS switched on and off for an add-on that is there, by an engine that has it and by an edge: the same for apps."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest
import redis
import redis.asyncio
from redis.backoff import NoBackoff
from redis.retry import Retry

from redyard import Redis
from redyard.errors import DoorStuck, NotEncrypted
from tests.support.load import Load
from tests.support.wait import until
from tests.support.yards import Sandbox


async def call(function: Callable[..., Any], *args: object, **options: object) -> Any:
    return await asyncio.to_thread(function, *args, **options)


NAMES = ("REDIS_URL", "REDIS_CACHE_URL")


def app(yard: Sandbox, **changes: str) -> Redis:
    return Redis.from_env(environ={**yard.calls.variables("redis"), **changes})


async def test_nobody_is_dropped_and_who_comes_speaks_tls(each_yard: Sandbox) -> None:
    """Under load 0 commands fail; then plain is refused, who is still plain is named, and --now closes it; and back."""
    await call(each_yard.json, "add", "redis", "--role", "store")
    old = each_yard.calls.variables("redis")
    stays = redis.asyncio.Redis.from_url(old["REDIS_URL"], client_name="stays", retry=Retry(NoBackoff(), 0))
    await stays.ping()
    async with Load(Redis.from_env(environ=old)) as load:
        await until(lambda: load.popped)
        await call(each_yard.calls.enable_tls, "redis")
        written = len(load.written)
        await until(lambda: len(load.written) > written + 20)
        connects = load.client.stats.connects

    assert ([], 1) == (load.errors, connects)
    async with app(each_yard) as encrypted, Redis.from_env(environ=old) as plain:
        assert set() == await load.missing(encrypted)
        with pytest.raises(redis.RedisError, match="speaks TLS"):
            await plain.ping()
        await until(lambda: ["stays"] == [one["name"] for one in still_plain(each_yard)])
        told = (await call(each_yard.run, "tls", "show")).stdout
        done = await call(each_yard.json, "tls", "enable", "redis", "--now")
        assert "still plain: stays" in told
        with pytest.raises(redis.ConnectionError):
            await stays.ping()
        assert (1, [], True) == (done["closed"], done["instances"][0]["plain"], await encrypted.ping())
        assert 1 == encrypted.stats.connects
    await stays.aclose()
    await call(each_yard.calls.capture, "redis")
    await call(each_yard.calls.enable_tls, "redis", clients=True)
    async with app(each_yard) as shows, app(each_yard, REDIS_CERT_FILE="") as stranger:
        assert await shows.ping()
        with pytest.raises(redis.RedisError, match="wants a certificate"):
            await stranger.ping()
    await call(each_yard.calls.disable_tls, "redis")
    async with Redis.from_env(environ=old) as plain:
        assert (b"x" * 50, old) == (await plain.get("load:0:0"), each_yard.calls.variables("redis"))


def still_plain(yard: Sandbox) -> list[dict[str, Any]]:
    return yard.calls.certificates("redis")["instances"][0]["plain"]


def test_what_fails_leaves_all_as_it_was(yard: Sandbox) -> None:
    """The second edge cannot start: the first instance is plain again, and both serve. Stopped ones change, too."""
    yard.json("add", "redis")
    blocked = yard.home.instances / "redis-cache" / "edge"
    blocked.write_text("no directory")
    with pytest.raises(DoorStuck, match=r"redis-cache could not be changed: .*exists"):
        yard.calls.enable_tls("redis")
    before = yard.calls.variables("redis")

    assert ["redis", "redis"] == [before[name].partition(":")[0] for name in NAMES]
    assert [True, True] == [redis.Redis.from_url(before[name]).ping() for name in NAMES]
    with pytest.raises(NotEncrypted, match="redis has no TLS"):
        yard.calls.disable_tls("redis")
    yard.calls.stop("redis")
    blocked.unlink()
    yard.calls.enable_tls("redis")
    yard.calls.start("redis")
    after = yard.calls.variables("redis")

    assert [before[name].replace("redis:", "rediss:") for name in NAMES] == [after[name] for name in NAMES]
    trusted = {"ssl_ca_certs": after["REDIS_CA_FILE"]}
    assert [True, True] == [redis.Redis.from_url(after[name], **trusted).ping() for name in NAMES]


@pytest.mark.parametrize("words", [("enable",), ("disable",), ("renew", "redis", "--now"), ("show", "--clients")])
def test_options_belong_to_their_action(shared_yard: Sandbox, words: tuple[str, ...]) -> None:
    """A name is needed, and --now and --clients are for `enable`."""
    assert "Usage" == shared_yard.error("tls", *words)["error"]
