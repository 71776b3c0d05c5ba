"""Random schedules: callers, and a line that is cut, falls silent and comes back, all drawn from one seed.

A caller knows what it may hear: its own token, its own key, a count that nobody else got. Errors are allowed where the
line can explain them; they must be true. The judgement falls when all is over, from what the engine has stored.
"""

import asyncio
import random
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import redis as redispy
from redis.exceptions import ConnectionError as Gone, RedisError, ResponseError, TimeoutError as Late

from redyard import Redis
from redyard.client import raw
from tests.support.proxy import DOWN, UP, Proxy
from tests.support.servers import Server
from tests.support.wait import until

TIMEOUT = 0.1
BIG = 50_000
TROUBLES = ["cut", "cut", *["cut after"] * 3, "hold", "release", "trickle"]


class Schedule:
    """One run: some callers with some commands each, and what happens to the line meanwhile."""

    def __init__(self, server: Server, proxy: Proxy, seed: int) -> None:
        self.server = server
        self.proxy = proxy
        self.seed = seed
        self.chance = random.Random(seed)
        self.text = self.chance.random() < 0.5
        self.wrong: list[str] = []
        self.once: list[tuple[str, object, bool]] = []
        self.counts: list[int] = []
        self.unknown = 0
        self.redis: Redis
        self.shared = f"shared:{seed}"

    async def run(self) -> list[str]:
        """Let it all happen; return what went wrong."""
        self.redis = Redis.from_url(
            self.proxy.url(self.server), decode_responses=self.text, socket_timeout=TIMEOUT, socket_connect_timeout=1
        )
        async with asyncio.timeout(30):
            trouble = asyncio.create_task(self.trouble())
            await asyncio.gather(*(self.caller(f"{self.seed}-{n}") for n in range(self.chance.randint(2, 12))))
            trouble.cancel()
            await asyncio.gather(trouble, return_exceptions=True)
            self.proxy.release()
            await until(self.works)
            await until(lambda: self.proxy.open <= 1)
        await self.redis.aclose()
        self.judge()
        return [f"seed {self.seed}: {problem}" for problem in self.wrong]

    async def works(self) -> bool:
        """Say whether the client is as good as new."""
        answer = await outcome(self.redis.echo("still there"))
        return answer == self.as_read("still there")

    # ---- the line

    async def trouble(self) -> None:
        """Do things to the line until the callers are done."""
        while True:
            for _ in range(self.chance.randint(1, 60)):
                await asyncio.sleep(0)
            direction = self.chance.choice([UP, DOWN])
            what = self.chance.choice(TROUBLES)
            if what == "cut":
                self.proxy.cut(reset=self.chance.random() < 0.5)
            elif what == "cut after":
                self.proxy.cut_after(self.chance.choice([1, 10, 300, 3000, 60_000]), direction)
            elif what == "trickle":
                self.proxy.trickle[direction] = (self.chance.choice([400, 9000]), 0.001)
            elif what == "hold":
                self.proxy.hold(direction)
                await until(self.any_late if self.chance.random() < 0.1 else lambda: self.proxy.held)
            else:
                self.proxy.release()

    def any_late(self) -> bool:
        """Wait until silence was noticed, or is over."""
        return not self.proxy.held or self.redis.stats.timed_out > 0

    # ---- the callers

    async def caller(self, name: str) -> None:
        """Make some calls one after the other; some are cancelled before they are answered."""
        for number in range(self.chance.randint(1, 10)):
            kind = self.chance.choice(CALLS)
            call = asyncio.create_task(kind(self, f"{name}-{number}"))
            if self.chance.random() < 0.15:
                for _ in range(self.chance.randint(0, 20)):
                    await asyncio.sleep(0)
                call.cancel()
            await asyncio.gather(call, return_exceptions=True)
            if not call.cancelled() and call.exception():
                trace = "".join(traceback.format_exception(call.exception())[-6:])
                self.wrong.append(f"{kind.__name__} raised {trace}")

    def as_read(self, value: str) -> str | bytes:
        """Return a value as this client reads it."""
        return value if self.text else value.encode()

    def timeout(self) -> dict[str, float]:
        """Give some calls a deadline of their own."""
        return {"timeout": self.chance.choice([0.001, 0.02, 0.4])} if self.chance.random() < 0.2 else {}

    async def expect(self, call: Awaitable[Any], expected: object) -> Any:
        """Take note when a call hears anything but its own answer or a loss."""
        answer = await outcome(call)
        if answer != expected and not isinstance(answer, Gone | Late):
            self.wrong.append(f"{answer!r:.100} instead of {expected!r:.100}")
        return answer

    async def echo(self, token: str) -> None:
        """Hear one's own token."""
        await self.expect(self.redis.execute_command("ECHO", token, **self.timeout()), self.as_read(token))

    async def raw_echo(self, token: str) -> None:
        """Hear one's own token, undecoded."""
        await self.expect(raw(self.redis, "ECHO", token), token.encode())

    async def big(self, token: str) -> None:
        """Hear a long answer of one's own."""
        word = token * (BIG // len(token))
        await self.expect(self.redis.echo(word), self.as_read(word))

    async def binary(self, token: str) -> None:
        """Hear bytes that are no text: a client that decodes cannot give them to its caller, and says so."""
        answer = await outcome(self.redis.execute_command("ECHO", b"\xff" + token.encode()))
        right = isinstance(answer, UnicodeDecodeError) if self.text else answer == b"\xff" + token.encode()
        if not right and not isinstance(answer, Gone | Late):
            self.wrong.append(f"{answer!r} instead of bytes that are no text")

    async def refused(self, token: str) -> None:
        """Hear of one's own mistake."""
        answer = await outcome(self.redis.execute_command("LPUSH", "text", token))
        if not isinstance(answer, Gone | Late) and not (
            isinstance(answer, ResponseError) and "WRONGTYPE" in str(answer)
        ):
            self.wrong.append(f"{answer!r} instead of a refusal")

    async def write_and_read(self, token: str) -> None:
        """Read what one has written, where one knows that it was."""
        key = f"w:{token}"
        if await self.expect(self.redis.set(key, token), True) is True:
            await self.expect(self.redis.get(key), self.as_read(token))

    async def pipeline(self, token: str) -> None:
        """Hear the answers of one's own batch."""
        self.note(f"once:{token}", asyncio.CancelledError(), False)
        pipe = self.redis.pipeline(transaction=self.chance.random() < 0.5)
        pipe.echo(token).incr(f"once:{token}").get(f"none:{token}").echo(token)
        own = self.as_read(token)
        answer = await self.expect(pipe.execute(), [own, 1, None, own])
        self.note(f"once:{token}", answer, False)

    async def count_once(self, token: str) -> None:
        """Count on a key of one's own; a call that is declared idempotent may run twice, but must not deny it."""
        key, twice = f"once:{token}", self.chance.random() < 0.3
        self.note(key, asyncio.CancelledError(), twice)
        terms = {**self.timeout(), **({"idempotent": True} if twice else {})}
        answer = await outcome(self.redis.execute_command("INCR", key, **terms))
        if answer != 1 and not (twice and isinstance(answer, int)) and not isinstance(answer, Gone | Late):
            self.wrong.append(f"{key}: {answer!r}")
        self.note(key, answer, twice)

    async def count(self, _token: str) -> None:
        """Count with all others: nobody gets the same number."""
        self.unknown += 1
        answer = await outcome(self.redis.incr(self.shared))
        if isinstance(answer, int):
            self.counts.append(answer)
            self.unknown -= 1
        elif not getattr(answer, "maybe_ran", True):
            self.unknown -= 1
        elif not isinstance(answer, Gone | Late):
            self.wrong.append(f"shared: {answer!r}")

    def note(self, key: str, answer: object, twice: bool) -> None:
        """Keep what a caller knows of its key; the last word counts."""
        self.once.append((key, answer, twice))

    # ---- the end

    def stored(self, *keys: str) -> list[int]:
        """Return counters from the engine itself."""
        with redispy.Redis.from_url(self.server.admin_url) as admin:
            return [int(value or 0) for value in admin.mget(keys)]

    def judge(self) -> None:
        """Compare what callers know with what the engine has."""
        known = {key: (answer, twice) for key, answer, twice in self.once}
        counted, *values = self.stored(self.shared, *known)
        for (key, (answer, twice)), value in zip(known.items(), values, strict=True):
            most = 1
            least = 0 if isinstance(answer, BaseException) else 1
            if isinstance(answer, BaseException):
                most = int(getattr(answer, "maybe_ran", True))
            if twice and most:
                most = 100
            if not least <= value <= most:
                self.wrong.append(f"{key} is {value} after {answer!r}")
        if len(set(self.counts)) != len(self.counts):
            self.wrong.append("two callers got the same number")
        if not len(self.counts) <= counted <= len(self.counts) + self.unknown:
            self.wrong.append(f"counted {counted} for {len(self.counts)} answered and {self.unknown} unknown")


CALLS: list[Callable[[Schedule, str], Awaitable[None]]] = [
    Schedule.echo,
    Schedule.echo,
    Schedule.raw_echo,
    Schedule.big,
    Schedule.binary,
    Schedule.refused,
    Schedule.write_and_read,
    Schedule.pipeline,
    Schedule.pipeline,
    Schedule.count_once,
    Schedule.count_once,
    Schedule.count,
    Schedule.count,
]


async def outcome(call: Awaitable[Any]) -> Any:
    """Return an answer, or the error."""
    try:
        return await call
    except (RedisError, UnicodeDecodeError) as error:
        return error
