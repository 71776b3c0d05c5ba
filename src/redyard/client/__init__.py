"""The client: a `redis.asyncio.Redis` whose defaults are safe for an app, and what the capabilities run on."""

from redyard.client.breaker import Breaker
from redyard.client.call import Words
from redyard.client.prepared import Prepared
from redyard.client.redis import Redis
from redyard.client.scripts import Script, raw

__all__ = ["Breaker", "Prepared", "Redis", "Script", "Words", "raw"]
