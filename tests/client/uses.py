"""Uses of a client that take more than one call: each returns what can be compared between two clients."""

import asyncio
from typing import Any

from redis.exceptions import LockError, NoScriptError, RedisError, WatchError

from tests.support.wait import until


async def caught(step: Any) -> Any:
    """Return what a step returns, or its error's class and text."""
    try:
        return await step
    except (RedisError, ValueError) as error:
        return (type(error).__name__, str(error))


async def pipeline(redis: Any) -> Any:
    """Collects commands and sends them in one go, as a transaction or not; answers pass their callbacks."""
    answers = []
    for transaction in (True, False):
        pipe = redis.pipeline(transaction=transaction)
        pipe.set("a", 1).incr("a").hset("h", mapping={"f": 1}).hgetall("h").zadd("z", {"m": 1}).get("none")
        answers += [await pipe.zrange("z", 0, -1, withscores=True).execute(), len(pipe), await pipe.execute()]
        async with redis.pipeline(transaction=transaction) as other:
            answers += [await other.set("é", "ü").get("é").dump("none").echo("x").execute(), bool(other)]
    return answers


async def pipeline_errors(redis: Any) -> Any:
    """An error is raised with its place in the pipeline, or is one of the answers."""
    answers = []
    for transaction in (True, False):
        await redis.set("s", "x")
        for raising in (True, False):
            pipe = redis.pipeline(transaction=transaction).set("a", 1).lpush("s", 1).get("a")
            answer = await caught(pipe.execute(raise_on_error=raising))
            answers.append([str(item) for item in answer])
        bad = redis.pipeline(transaction=transaction).get("a").execute_command("NONE", 1)
        answers.append([str(item) for item in await caught(bad.execute())])
        answers.append(await caught(redis.pipeline(transaction=transaction).set("a", None).execute()))
        answers.append(await redis.get("a"))
    return answers


async def watch(redis: Any) -> Any:
    """A transaction runs when what it watched did not change, and fails otherwise."""
    await redis.set("n", 1)
    async with redis.pipeline() as pipe:
        await pipe.watch("n")
        seen = await pipe.get("n")
        pipe.multi()
        pipe.set("n", int(seen) + 1)
        calm = await pipe.execute()
        await pipe.watch("n")
        await redis.incr("n")
        pipe.multi()
        disturbed = await caught(pipe.set("n", 100).execute())
        await pipe.watch("n")
        await pipe.unwatch()
        await redis.incr("n")
        unwatched = await pipe.get("n").execute()
    return [calm, disturbed, unwatched, await redis.get("n")]


async def transaction(redis: Any) -> Any:
    """`transaction()` tries again until nobody disturbs it."""
    await redis.set("n", 1)
    tries = []

    async def double(pipe: Any) -> str:
        value = int(await pipe.get("n"))
        if not tries:
            await redis.incr("n")
        tries.append(value)
        pipe.multi()
        pipe.set("n", value * 2)
        return "done"

    answers = await redis.transaction(double, "n"), await redis.transaction(double, "n", value_from_callable=True)
    return [*answers, tries, await redis.get("n")]


async def scripts(redis: Any) -> Any:
    """A registered script runs on a server that forgot it, alone and in a pipeline."""
    script = redis.register_script("return {KEYS[1], ARGV[1]}")
    answers = [script.sha, await script(keys=["k"], args=["é"])]
    await redis.script_flush()
    answers.append(await script(keys=["k"], args=[1]))
    await redis.script_flush()
    async with redis.pipeline() as pipe:
        await script(keys=["p"], args=[2], client=pipe)
        answers.append(await pipe.set("a", 1).execute())
    await redis.script_flush()
    try:
        await redis.evalsha(script.sha, 0)
    except NoScriptError as error:
        answers.append(str(error))
    return answers


async def locks(redis: Any) -> Any:
    """One holds the lock; others wait, give up, or are told that it is not theirs."""
    lock, other = redis.lock("l", timeout=10), redis.lock("l", timeout=10, blocking_timeout=0.05, sleep=0.01)
    answers = [await lock.acquire(), await lock.locked(), await lock.owned(), await other.acquire()]
    answers += [await lock.extend(5), await lock.reacquire(), await caught(other.release())]
    await lock.release()
    try:
        async with other:
            answers.append(await other.owned())
            await redis.delete("l")
    except LockError as error:
        answers.append((type(error).__name__, str(error)))
    return answers


async def iterators(redis: Any) -> Any:
    """The scan_iter family yields everything once."""
    await redis.mset({f"k{i}": i for i in range(200)})
    await redis.hset("h", mapping={f"f{i}": i for i in range(600)})
    await redis.sadd("s", *range(600))
    await redis.zadd("z", {f"m{i}": i for i in range(200)})
    return [
        sorted([key async for key in redis.scan_iter("k1*", count=20)]),
        sorted([key async for key in redis.scan_iter(_type="hash")]),
        sorted([pair async for pair in redis.hscan_iter("h")]),
        sorted([pair async for pair in redis.hscan_iter("h", "f59*")]),
        sorted([member async for member in redis.sscan_iter("s", count=100)]),
        sorted([pair async for pair in redis.zscan_iter("z", score_cast_func=int)]),
    ]


async def subscriptions(redis: Any) -> Any:
    """Channels and patterns, by handler, by get_message and by listen."""
    handled: list[Any] = []
    async with redis.pubsub() as channels:
        await channels.subscribe("a", "é", b=lambda message: handled.append(message["data"]))
        await channels.psubscribe("p*")
        await channels.ssubscribe("shard")
        confirmed = [await next_message(channels) for _ in range(5)]
        answers = [
            await redis.publish("a", "1"),
            await redis.publish("é", "ü"),
            await redis.publish("pattern", b"\x01"),
        ]
        answers += [await next_message(channels) for _ in range(3)]
        await redis.publish("b", "2")
        await until(lambda: until_handled(channels, handled))
        await redis.publish("a", "3")
        async for message in channels.listen():
            answers.append(message)
            break
        await redis.spublish("shard", "4")
        answers.append(await next_message(channels))
        answers += [await redis.pubsub_channels(), await redis.pubsub_numsub("a"), await redis.pubsub_numpat()]
        await channels.unsubscribe()
        await channels.punsubscribe()
        answers.append(channels.subscribed)
    return [confirmed, answers, handled, await redis.get("none")]


async def next_message(channels: Any) -> Any:
    """Return the next message of a subscription."""
    return await until(lambda: channels.get_message(timeout=0.5))


async def until_handled(channels: Any, handled: list[Any]) -> bool:
    """Let a handler see what there is to see."""
    await channels.get_message(timeout=0.1)
    return bool(handled)


async def dumps(redis: Any) -> Any:
    """What DUMP gives, RESTORE takes; it is bytes whatever is decoded."""
    await redis.hset("h", mapping={"f": b"\xff" * 20})
    blob = await redis.dump("h")
    answers = [type(blob).__name__, len(blob), await redis.restore("copy", 0, blob), await redis.hlen("copy")]
    answers += [await caught(redis.restore("copy", 0, blob)), await redis.restore("copy", 0, blob, replace=True)]
    return [*answers, await redis.restore("late", 0, blob, absttl=True, idletime=5)]


async def callbacks(redis: Any) -> Any:
    """A callback of the user's own counts from then on, gets the call's options, and may be async."""

    async def later(answer: Any, **options: Any) -> Any:
        await asyncio.sleep(0)
        return ["later", answer]

    await redis.set("a", 1)
    before = await redis.get("a")
    redis.set_response_callback("GET", lambda answer, **options: ["own", answer, sorted(options)])
    redis.set_response_callback("set", lambda answer, **_: ["set", answer])
    redis.set_response_callback("ECHO", later)
    answers = [
        before,
        await redis.get("a"),
        await redis.execute_command("GET", "a", colour="red"),
        await redis.set("a", 2),
    ]
    answers += [await redis.set("a", 2, ex=5), await redis.execute_command("get", "a"), await redis.echo("x")]
    return [*answers, await redis.pipeline().get("a").execute()]


async def same_tick(redis: Any) -> Any:
    """A value that cannot be sent, or an answer that cannot be read, is its own caller's trouble alone."""
    await redis.set("bad", b"\xff")
    answers = await asyncio.gather(
        *(redis.set("a", 1), redis.set("b", None), redis.get("bad"), redis.set("c", "\ud800"), redis.set("d", {})),
        *(redis.incr("n"), redis.lpush("bad", 1), redis.get("bad"), redis.set(True, 1), redis.echo("last")),
        return_exceptions=True,
    )
    shown = [repr(answer) for answer in answers]
    return [*shown, await redis.mget("a", "b", "c", "d"), await redis.exists("n")]


async def bitfields(redis: Any) -> Any:
    """The builder of BITFIELD."""
    field = redis.bitfield("b", default_overflow="SAT")
    return [await field.set("u8", 0, 250).incrby("u8", 0, 10).get("u8", 0).execute(), await redis.bitcount("b")]


async def conflict(redis: Any) -> Any:
    """WatchError is redis-py's, and the pipeline can be used again."""
    async with redis.pipeline() as pipe:
        await pipe.watch("k")
        await redis.set("k", 1)
        pipe.multi()
        pipe.get("k")
        try:
            await pipe.execute()
        except WatchError as error:
            return [str(error), await pipe.get("k").execute()]
    return []


USES = (pipeline, pipeline_errors, watch, transaction, scripts, locks, iterators, subscriptions, dumps, callbacks)
USES += (same_tick, bitfields, conflict)
NEEDS_ADMIN = (dumps,)
