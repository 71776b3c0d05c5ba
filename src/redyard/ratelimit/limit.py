"""`RateLimit`: a budget for each client, decided in one script and one round trip, on the server's clock.

Two rules: "gcra" allows `burst` hits at once, then one each `per / limit` seconds; "window" allows no more than `limit`
within any `per` seconds. A client that is known to be refused is refused from memory. While Redis is away, the policy
`on_error` decides.
"""

from collections.abc import Sequence
from math import ceil
from time import monotonic, monotonic_ns

from redyard import events, keys
from redyard.client import Prepared, Redis, Script
from redyard.errors import RedisAway
from redyard.events import listening
from redyard.ratelimit.asking import breaker_of
from redyard.ratelimit.held import Held
from redyard.ratelimit.insurance import Insurance, Look, look
from redyard.ratelimit.terms import Decision, Policy, Rule, burst_of, one_of, seconds, step_of, whole

_HIT = Script("redyard.ratelimit", "hit")
_ASK = Script("redyard.ratelimit", "ask")

new = tuple.__new__
"""Makes a decision in half the time of its constructor; for the two that are made most."""


class RateLimit:
    """At most `limit` hits within `per` seconds, for each client of the limit named `name`."""

    def __init__(  # noqa: PLR0913 - the options of a limit
        self,
        redis: Redis,
        name: str,
        limit: int = 5,
        per: float = keys.Lifetime.RATE_LIMIT.value,
        *,
        burst: int | None = None,
        rule: Rule = "gcra",
        on_error: Policy = "insurance",
    ) -> None:
        one_of(rule, Rule, "rule of a rate limit")
        one_of(on_error, Policy, "policy for while Redis is away")
        self.name = keys.check("name", name)
        self.limit = whole(limit, "limit", example=5)
        self.per = seconds(per, "period of a rate limit")
        self.burst = burst_of(burst, limit, rule)
        self.rule = rule
        self.on_error = on_error
        self.redis = redis
        self._breaker = breaker_of(redis)
        self._held = Held()
        self._set_terms()

    def _set_terms(self) -> None:
        """Make once what every hit needs."""
        step = step_of(self.rule, self.limit, self.per, self.burst)
        self._step = step if self.rule == "gcra" else max(1, ceil(self.per * 1e6 / self.limit))
        self._insurance = Insurance(self._step, self.burst)
        self._prefix = keys.RATE_LIMIT.make(name=self.name, client="-")[:-1]
        self._terms = (self.rule.encode(), b"%d" % step, b"%d" % self.burst)
        self.ask = Prepared(_ASK, self.redis, self._breaker)
        self._hit = Prepared(_HIT, self.redis, self._breaker)
        self._head = (*self._hit.head, b"1")
        self._tail = (b"%d" % step, b"%d" % (step * self.burst))

    async def hit(self, client: str, *, cost: int = 1) -> Decision:
        """Count a hit of a client and say whether it is allowed; a refused hit costs nothing.

        One that costs more than the burst is never allowed.
        """
        hold = self._held.get(client)
        if hold is not None and cost >= hold[2] and (now := monotonic()) < hold[1]:
            return self.told(new(Decision, (False, 0, left := hold[0] - now, self.limit, left, False)))
        try:
            if self.rule == "window":
                reply = await self.ask.run((*self.ask.head, b"1", self.key(client), b"hit", *self.words(cost)))
                return self.told(self.read(reply, client, cost))
            number = b"1" if cost == 1 else digits(cost)
            ahead = await self._hit.run((*self._head, self._prefix + keys.fit(client), *self._tail, number))
        except RedisAway:
            return self.told(self.without_redis("hit", client, cost))
        if type(ahead) is int and ahead >= 0:  # mostly; what follows is `look`'s, without its calls
            left = self.burst + -ahead // self._step
            reset = (ahead - (self.burst - left - 1) * self._step) / 1e6
            found = new(Decision, (True, left, 0.0, self.limit, reset, False))
            return self.told(found) if listening() else found
        return self.told(self._read_rest(ahead, client, cost))

    async def peek(self, client: str, *, cost: int = 1) -> Decision:
        """Say what a hit would meet, and count nothing."""
        return await self._do("peek", client, whole(cost, "cost", example=1))

    async def penalty(self, client: str, hits: int = 1) -> Decision:
        """Count hits whatever the limit says, beyond the budget too; return what the next hit meets."""
        return await self._do("charge", client, whole(hits, "penalty", example=1))

    async def reward(self, client: str, hits: int = 1) -> Decision:
        """Give hits back, but no more than were counted; return what the next hit meets."""
        return await self._do("charge", client, -whole(hits, "reward", example=1))

    async def block(self, client: str, span: float) -> Decision:
        """Refuse a client for some seconds. Of a GCRA budget one hit is there after them; the rest comes by and by."""
        return await self._do("block", client, ceil(seconds(span, "block") * 1e6))

    async def reset(self, client: str) -> None:
        """Give a client its whole budget back, or raise RedisAway."""
        self._held.pop(client, None)
        self._insurance.forget(keys.fit(client))
        await self._breaker.run(lambda: self.redis.delete(self.key(client)), always=True)

    # ---- for several limits at once

    def key(self, client: str) -> str:
        """Return the key that counts a client."""
        return self._prefix + keys.fit(client)

    def words(self, cost: int) -> tuple[bytes, ...]:
        """Return the words of ask.lua for a hit."""
        return (*self._terms, digits(cost))

    def held(self, client: str, cost: int) -> Decision | None:
        """Return the refusal of a client that is known to be refused."""
        hold = self._held.get(client)
        if hold is not None and cost >= hold.cost and (now := monotonic()) < hold.believed:
            return Decision(False, 0, left := hold.until - now, self.limit, left)
        return None

    def read(self, reply: Sequence[int], client: str, cost: int) -> Decision:
        """Return the decision in a script's five numbers, and remember a refusal."""
        allowed, remaining, wait, reset, broken = reply
        if broken:
            events.emit(events.RATELIMIT_UNREADABLE, name=self.name)
        if not allowed and not remaining:
            self._held.add(client, cost, wait / 1e6, now=monotonic())
        return self._decide(Look(remaining, wait, reset))

    def told(self, decision: Decision) -> Decision:
        """Return a hit's decision, and tell those who listen of it."""
        if listening():
            allowed, degraded = decision.allowed, decision.degraded
            events.emit(events.RATELIMIT_DECIDED, name=self.name, allowed=allowed, degraded=degraded)
        return decision

    def without_redis(self, verb: str, client: str, number: int) -> Decision:
        """Return what the policy says; "insurance" counts in memory."""
        if self.on_error != "insurance":
            pause = 0.0 if self.on_error == "open" else self._breaker.pause
            return Decision(not pause, 0 if pause else self.burst, pause, self.limit, pause, True)
        found = self._insurance.do(verb, keys.fit(client), number, now=monotonic_ns() // 1000)
        return self._decide(found)._replace(degraded=True)

    async def _do(self, verb: str, client: str, number: int) -> Decision:
        self._held.pop(client, None)
        words = (*self.ask.head, b"1", self.key(client), verb.encode(), *self._terms, b"%d" % number)
        try:
            reply = await self.ask.run(words)
        except RedisAway:
            return self.without_redis(verb, client, number)
        return self.read(reply, client, number if verb == "peek" else 1)

    def _read_rest(self, reply: "int | str | bytes", client: str, cost: int) -> Decision:
        """Return the decision in the number of hit.lua: a refusal, or one that comes with bad news."""
        broken, number = not isinstance(reply, int), int(reply)
        found = look(number, 0, step=self._step, most=self.burst)
        if number < 0:
            found = look(-1 - number, cost, step=self._step, most=self.burst)
        return self.read((number >= 0, *found, broken), client, cost)

    def _decide(self, found: Look) -> Decision:
        return Decision(not found.wait, found.remaining, found.wait / 1e6, self.limit, found.reset / 1e6)


def digits(cost: int) -> bytes:
    """Return a cost as a word of a script, or raise InvalidValue."""
    return b"%d" % whole(cost, "cost", example=1)
