"""A script that runs for every request: its words are made once, and its deadline needs no timer of its own."""

from typing import Any

from redis.exceptions import NoScriptError, RedisError

from redyard.client.breaker import Breaker
from redyard.client.redis import Redis
from redyard.client.scripts import Script, raw

Text = str | bytes


class Prepared:
    """A script on one client, behind a breaker; its replies come undecoded."""

    def __init__(self, script: Script, redis: Redis, breaker: Breaker) -> None:
        self.head = (b"EVALSHA", script.digest.encode())
        self._text = script.text
        self._redis = redis
        self._breaker = breaker

    async def run(self, words: tuple[Text, ...]) -> Any:
        """Send these words, the first of which are `head`, and return the reply, or raise RedisAway."""
        breaker = self._breaker
        if breaker.open:
            breaker.admit()
        future = self._redis.send_raw(words)
        breaker.watch.add(future)
        try:
            reply = await future
        except NoScriptError:
            return await breaker.run(lambda: self._whole(words), always=True)
        except (RedisError, OSError) as error:
            raise breaker.failed(error) from error
        if breaker.open:
            breaker.succeeded()
        return reply

    async def _whole(self, words: tuple[Text, ...]) -> Any:
        """Run it where the server does not know it."""
        return await raw(self._redis, "EVAL", self._text, *words[2:])
